// What the camera sees, as pictures to classify. Not run by its makers: it needs a device with a camera.

import AVFoundation
import UIKit

final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    enum State: Equatable { case off, running, denied, absent }

    let session = AVCaptureSession()
    /// Called on the camera's own queue, one picture at a time; pictures that come meanwhile are dropped.
    var seen: ((Raster) -> Void)?
    private let queue = DispatchQueue(label: "camera")
    private let output = AVCaptureVideoDataOutput()
    private var position = AVCaptureDevice.Position.back

    func start() async -> State {
        guard await AVCaptureDevice.requestAccess(for: .video) else { return .denied }
        return await withCheckedContinuation { done in
            queue.async { done.resume(returning: self.configured() ? .running : .absent) }
        }
    }

    func stop() { queue.async { self.session.stopRunning() } }

    func flip() {
        queue.async {
            self.position = self.position == .back ? .front : .back
            _ = self.configured()
        }
    }

    private func configured() -> Bool {
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: position),
            let input = try? AVCaptureDeviceInput(device: device)
        else { return false }
        session.beginConfiguration()
        session.inputs.forEach(session.removeInput)
        session.sessionPreset = .vga640x480
        session.automaticallyConfiguresCaptureDeviceForWideColor = false  // sRGB, as training pictures are
        if session.canAddInput(input) { session.addInput(input) }
        if session.outputs.isEmpty && session.canAddOutput(output) {
            output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
            output.alwaysDiscardsLateVideoFrames = true
            output.setSampleBufferDelegate(self, queue: queue)
            session.addOutput(output)
        }
        if let connection = output.connection(with: .video), connection.isVideoRotationAngleSupported(90) {
            connection.videoRotationAngle = 90  // upright when the phone is
        }
        session.commitConfiguration()
        if !session.isRunning { session.startRunning() }
        return true
    }

    func captureOutput(_: AVCaptureOutput, didOutput sample: CMSampleBuffer, from _: AVCaptureConnection) {
        guard let buffer = CMSampleBufferGetImageBuffer(sample), let picture = Self.raster(buffer) else { return }
        seen?(picture)
    }

    private static func raster(_ buffer: CVPixelBuffer) -> Raster? {
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        guard let base = CVPixelBufferGetBaseAddress(buffer) else { return nil }
        let source = base.assumingMemoryBound(to: UInt8.self)
        let (width, height) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
        let line = CVPixelBufferGetBytesPerRow(buffer)
        var result = Raster(width: width, height: height, channels: 3)
        result.bytes.withUnsafeMutableBufferPointer { target in
            for y in 0..<height {
                for x in 0..<width {
                    let (from, to) = (y * line + 4 * x, (y * width + x) * 3)
                    target[to] = source[from + 2]
                    target[to + 1] = source[from + 1]
                    target[to + 2] = source[from]
                }
            }
        }
        return result
    }
}
