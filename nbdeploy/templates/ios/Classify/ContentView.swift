// One screen: what the camera or the chosen picture shows, and the five likeliest labels under it.

import AVFoundation
import PhotosUI
import SwiftUI

struct ContentView: View {
    @State private var screen = Screen()
    @State private var chosen: PhotosPickerItem?

    var body: some View {
        VStack(spacing: 0) {
            seen.frame(maxWidth: .infinity, maxHeight: .infinity).background(.black).clipped()
            panel
        }
        .task { await screen.open() }
        .onChange(of: chosen) { _, item in
            Task {
                if let data = try? await item?.loadTransferable(type: Data.self) { screen.choose(data) }
                chosen = nil
            }
        }
    }

    @ViewBuilder private var seen: some View {
        if let picture = screen.picture {
            Image(uiImage: picture).resizable().scaledToFit().accessibilityLabel("The chosen picture")
        } else {
            switch screen.camera {
            case .running: Preview(session: screen.eye.session, still: screen.frozen).accessibilityLabel("Camera")
            case .off: ProgressView().tint(.white)
            case .denied: notice("The camera is not allowed. Allow it in Settings, or choose a picture.")
            case .absent: notice("There is no camera here. Choose a picture.")
            }
        }
    }

    private func notice(_ text: String) -> some View {
        Text(text).foregroundStyle(.white).multilineTextAlignment(.center).padding(24)
    }

    private var panel: some View {
        VStack(alignment: .leading, spacing: 12) {
            HStack {
                Text(screen.title).font(.headline)
                Spacer()
                if let time = screen.milliseconds {
                    Text("\(time.formatted(.number.precision(.fractionLength(0)))) ms")
                        .font(.caption.monospacedDigit()).foregroundStyle(.secondary)
                }
            }
            if let problem = screen.problem {
                Label(problem, systemImage: "exclamationmark.triangle").font(.callout)
            }
            ForEach(screen.answers) { Bar(answer: $0) }
            buttons
        }
        .padding(16)
    }

    private var buttons: some View {
        HStack {
            PhotosPicker(selection: $chosen, matching: .images) { Label("Picture", systemImage: "photo") }
            Spacer()
            if screen.picture != nil {
                Button { screen.live() } label: { Label("Camera", systemImage: "camera") }
            } else if screen.camera == .running {
                Button { screen.frozen.toggle() } label: {
                    Label(screen.frozen ? "Go on" : "Freeze", systemImage: screen.frozen ? "play" : "pause")
                }
                Spacer()
                Button { screen.eye.flip() } label: { Label("Switch", systemImage: "arrow.triangle.2.circlepath.camera") }
            }
            Spacer()
            ShareLink(item: screen.summary).disabled(screen.answers.isEmpty)
        }
        .buttonStyle(.bordered)
        .labelStyle(.titleAndIcon)
        .font(.callout)
    }
}

/// One label with its probability, as a number and as a bar.
private struct Bar: View {
    let answer: Answer

    var body: some View {
        VStack(alignment: .leading, spacing: 4) {
            HStack {
                Text(answer.label)
                Spacer()
                Text(answer.probability.formatted(.percent.precision(.fractionLength(1)))).monospacedDigit()
            }
            ProgressView(value: min(max(answer.probability, 0), 1))
        }
        .accessibilityElement(children: .combine)
    }
}

/// The camera's live picture.
private struct Preview: UIViewRepresentable {
    let session: AVCaptureSession
    let still: Bool

    final class Layered: UIView {
        override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }
        var preview: AVCaptureVideoPreviewLayer { layer as! AVCaptureVideoPreviewLayer }
    }

    func makeUIView(context _: Context) -> Layered {
        let view = Layered()
        view.preview.session = session
        view.preview.videoGravity = .resizeAspect  // the whole picture, of which the model sees what the rule says
        return view
    }

    func updateUIView(_ view: Layered, context _: Context) { view.preview.connection?.isEnabled = !still }
}
