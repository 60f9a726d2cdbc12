// An app for one nbdeploy bundle. Everything about the model is read from the bundle's manifest.json.

import SwiftUI

@main
struct ClassifyApp: App {
    var body: some Scene {
        WindowGroup { ContentView() }
    }
}
