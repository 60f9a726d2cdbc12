// The app's state: camera, chosen picture, answers.

import Foundation
import Observation
import UIKit

@MainActor @Observable
final class Screen {
    private(set) var answers: [Answer] = []
    private(set) var camera = Camera.State.off
    private(set) var problem: String?
    private(set) var picture: UIImage?
    private(set) var milliseconds: Double?
    private(set) var title = ""
    var frozen = false
    let eye = Camera()
    private var classifier: Classifier?

    func open() async {
        do {
            let loaded = try Classifier()
            classifier = loaded
            title = loaded.manifest.name
        } catch {
            problem = error.localizedDescription
            return
        }
        eye.seen = { [weak self] picture in self?.classify(picture) }
        camera = await eye.start()
    }

    /// Classifies a file that the person chose, and shows it in place of the camera.
    func choose(_ data: Data) {
        frozen = true
        picture = UIImage(data: data)
        guard let classifier else { return }
        Task.detached {
            let start = Date()
            let found = Result { try classifier.probabilities(data) }
            await self.show(found, since: start)
        }
    }

    func live() {
        picture = nil
        frozen = false
    }

    /// What the person shares: the picture's labels as a line of text.
    var summary: String {
        answers.map { "\($0.label) \($0.probability.formatted(.percent.precision(.fractionLength(1))))" }
            .joined(separator: ", ")
    }

    private nonisolated func classify(_ picture: Raster) {
        // On the camera's queue: the next frame waits, or is dropped.
        let (model, still) = DispatchQueue.main.sync { MainActor.assumeIsolated { (self.classifier, self.frozen) } }
        guard let model, !still else { return }
        let start = Date()
        let found = Result { try model.probabilities(picture) }
        Task { @MainActor in
            if !self.frozen { self.show(found, since: start) }
        }
    }

    private func show(_ found: Result<[String: Double], Error>, since start: Date) {
        switch found {
        case .success(let probabilities):
            problem = nil
            answers = Classifier.ranked(probabilities)
            milliseconds = Date().timeIntervalSince(start) * 1000
        case .failure(let error): problem = "This picture cannot be classified: \(error.localizedDescription)"
        }
    }
}
