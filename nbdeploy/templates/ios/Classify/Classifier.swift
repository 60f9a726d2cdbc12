// The bundle's model, run by Core ML. Not run by its makers: it needs Apple's Core ML.
//
// Vision is left out on purpose: it would resize the picture by a rule of its own, and the model would see other pixels
// than the ones it was trained on.

import CoreML
import CoreVideo
import Foundation

struct Answer: Identifiable, Equatable {
    var label: String
    var probability: Double
    var id: String { label }
}

enum ClassifierError: LocalizedError {
    case missing(String)
    case noAnswer

    var errorDescription: String? {
        switch self {
        case .missing(let file): return "\(file) is not in the app. Open the project inside the bundle that nbdeploy made."
        case .noAnswer: return "The model gave no probabilities."
        }
    }
}

final class Classifier {
    let manifest: Manifest
    private let model: MLModel

    /// Reads manifest.json and the compiled model from the app (or from a test's own bundle).
    init(in bundle: Bundle = .main, units: MLComputeUnits = .all) throws {
        guard let file = bundle.url(forResource: "manifest", withExtension: "json") else {
            throw ClassifierError.missing("manifest.json")
        }
        manifest = try Manifest.read(file)
        let name = (manifest.model as NSString).deletingPathExtension
        guard let compiled = bundle.url(forResource: name, withExtension: "mlmodelc") else {
            throw ClassifierError.missing(manifest.model)
        }
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units
        model = try MLModel(contentsOf: compiled, configuration: configuration)
    }

    /// The probability of every label for the picture in the bytes of a file.
    func probabilities(_ data: Data) throws -> [String: Double] {
        let picture = try decoded(data, range: manifest.signature.host.ranges?.integers)
        return try probabilities(picture.raster, orientation: picture.orientation)
    }

    /// The probability of every label for a decoded picture (red, green, blue).
    func probabilities(_ picture: Raster, orientation: Int = 1) throws -> [String: Double] {
        let signature = manifest.signature
        let pixels = try prepared(
            picture, orientation: orientation, host: signature.host, channels: signature.input.channels)
        let input = try MLDictionaryFeatureProvider(dictionary: [
            signature.input.name: MLFeatureValue(pixelBuffer: try pixelBuffer(pixels))
        ])
        let output = try model.prediction(from: input)
        guard let found = output.featureValue(for: signature.output.name)?.dictionaryValue as? [String: NSNumber] else {
            throw ClassifierError.noAnswer
        }
        return found.mapValues(\.doubleValue)
    }

    /// The likeliest labels first.
    static func ranked(_ probabilities: [String: Double], most: Int = 5) -> [Answer] {
        probabilities.map { Answer(label: $0.key, probability: $0.value) }
            .sorted { ($0.probability, $1.label) > ($1.probability, $0.label) }
            .prefix(most).map { $0 }
    }
}

/// The pixels as Core ML takes an image: BGRA, or one gray component.
private func pixelBuffer(_ pixels: Raster) throws -> CVPixelBuffer {
    let gray = pixels.channels == 1
    let format = gray ? kCVPixelFormatType_OneComponent8 : kCVPixelFormatType_32BGRA
    let options = [kCVPixelBufferIOSurfacePropertiesKey as String: [String: Any]()] as CFDictionary
    var made: CVPixelBuffer?
    CVPixelBufferCreate(kCFAllocatorDefault, pixels.width, pixels.height, format, options, &made)
    guard let buffer = made else { throw ClassifierError.noAnswer }
    CVPixelBufferLockBaseAddress(buffer, [])
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    let line = CVPixelBufferGetBytesPerRow(buffer)
    let target = CVPixelBufferGetBaseAddress(buffer)!.assumingMemoryBound(to: UInt8.self)
    for y in 0..<pixels.height {
        for x in 0..<pixels.width {
            let at = y * pixels.width + x
            if gray {
                target[y * line + x] = pixels.bytes[at]
                continue
            }
            let place = y * line + 4 * x
            target[place] = pixels.bytes[3 * at + 2]
            target[place + 1] = pixels.bytes[3 * at + 1]
            target[place + 2] = pixels.bytes[3 * at]
            target[place + 3] = 255
        }
    }
    return buffer
}
