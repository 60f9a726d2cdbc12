// What the bundle says of its model: the app has no labels, sizes or rules of its own. Pure Swift and Foundation.

import Foundation

/// The parts of manifest.json that an app needs.
struct Manifest: Decodable {
    var name: String
    var version: String
    /// The model's file name, as it lies in the bundle.
    var model: String
    var recipe: Recipe
    var signature: Signature

    struct Recipe: Decodable {
        var name: String
        /// The share of pictures on which the likeliest label must be the original's, 0...1.
        var min_agreement: Double
        /// Two labels whose probabilities are this near to each other may change places.
        var tie: Double
        /// How far any probability may move; nil where that is not judged.
        var max_drift: Double?
        var mean_drift: Double
    }

    struct Signature: Decodable {
        var input: Input
        var host: Host
        var output: Output
        var labels: [String]
    }

    struct Input: Decodable {
        var name: String
        var width: Int
        var height: Int
        var channels: Int
    }

    struct Output: Decodable {
        var name: String
    }

    static func read(_ file: URL) throws -> Manifest {
        try JSONDecoder().decode(Manifest.self, from: Data(contentsOf: file))
    }
}

/// What the app does to a decoded picture before the model sees it.
struct Host: Decodable {
    /// Whether a picture is turned as its EXIF orientation says.
    var exif: Bool
    var ranges: Ranges?
    var steps: [Step]

    struct Ranges: Decodable {
        /// The two values that become 0 and 255 in gray of 16 bits; nil where such values are cut off at 255.
        var integers: [Double]?
    }
}

struct Step: Decodable {
    var op: String
    var width: Int
    var height: Int
    var resample: Resample
    var pad: String
}

/// samples/expected.json: pictures, and what the original model answers.
struct Expected: Decodable {
    var samples: [Sample]

    struct Sample: Decodable {
        var file: String
        var label: String
        var probabilities: [String: Double]
    }
}
