import ExecuTorch
import Foundation

/// The model of one bundle. Labels, shape, file name and how a picture is prepared are read from manifest.json in the
/// app; nothing is written here twice.
final class Classifier {
    enum Failure: Error {
        case missing(String)
        case size(wanted: Int, got: Int)
    }

    private struct Manifest: Decodable {
        let model: String
        let signature: Signature
    }

    struct Signature: Decodable {
        let input: Input
        let host: Host
        let labels: [String]
    }

    struct Input: Decodable {
        let width: Int
        let height: Int
        let channels: Int
        let shape: [Int]
    }

    /// How a picture is opened, cut and resized: what Resize.swift and Preprocess.swift do step by step.
    struct Host: Decodable {
        struct Step: Decodable {
            let op: String
            let width: Int
            let height: Int
            let resample: String
            let pad: String
        }

        /// The two values that become 0 and 255 in gray of 16 bits; nil where such values are cut off at 255.
        struct Ranges: Decodable {
            let integers: [Double]?
        }

        let exif: Bool
        let ranges: Ranges?
        let steps: [Step]
    }

    let signature: Signature
    private let module: Module

    init(bundle: Bundle = .main) throws {
        guard let manifest = bundle.url(forResource: "manifest", withExtension: "json") else {
            throw Failure.missing("manifest.json")
        }
        let about = try JSONDecoder().decode(Manifest.self, from: Data(contentsOf: manifest))
        guard let model = bundle.url(forResource: about.model, withExtension: nil) else {
            throw Failure.missing(about.model)
        }
        signature = about.signature
        module = Module(filePath: model.path)
        try module.load("forward")
    }

    /// Probabilities in the order of `signature.labels`, from height x width x channels bytes (0..255), row after row.
    func probabilities(_ pixels: [UInt8]) throws -> [Float] {
        let wanted = signature.input.shape.reduce(1, *)
        guard pixels.count == wanted else { throw Failure.size(wanted: wanted, got: pixels.count) }
        let input = Tensor<UInt8>(pixels, shape: signature.input.shape)
        let answer: Tensor<Float> = try module.forward(input)[0].tensor()!
        return answer.scalars()
    }

    /// The likeliest label and its probability.
    func classify(_ pixels: [UInt8]) throws -> (label: String, probability: Float) {
        let values = try probabilities(pixels)
        let best = values.indices.max { values[$0] < values[$1] }!
        return (signature.labels[best], values[best])
    }
}
