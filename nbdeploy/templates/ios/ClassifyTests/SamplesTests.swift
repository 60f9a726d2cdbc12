// Holds Core ML on this device to the original model: the samples of the bundle, by the limits of its recipe.
//
// Press Command-U in Xcode. A phone says more than the simulator, which computes on the Mac's processor.

import XCTest

@testable import Classify

final class SamplesTests: XCTestCase {
    func testTheDeviceAnswersAsTheOriginal() throws {
        let classifier = try Classifier()
        let recipe = classifier.manifest.recipe
        let folder = try XCTUnwrap(Bundle(for: Self.self).url(forResource: "samples", withExtension: nil))
        let expected = try JSONDecoder().decode(
            Expected.self, from: Data(contentsOf: folder.appendingPathComponent("expected.json")))
        XCTAssertFalse(expected.samples.isEmpty)
        var (same, drifts, worst) = (0, [Double](), 0.0)
        for sample in expected.samples {
            let data = try Data(contentsOf: folder.appendingPathComponent(sample.file))
            let got = try classifier.probabilities(data)
            XCTAssertEqual(Set(classifier.manifest.signature.labels), Set(got.keys))
            let apart = sample.probabilities.map { abs($0.value - (got[$0.key] ?? .nan)) }
            let label = Classifier.ranked(got, most: 1)[0].label
            let gap = (sample.probabilities[sample.label] ?? 0) - (sample.probabilities[label] ?? 0)
            if gap <= recipe.tie { same += 1 }
            drifts += apart
            worst = max(worst, apart.max() ?? .nan)
            print("\(sample.file): \(label), the original \(sample.label), drift \(apart.max() ?? .nan)")
        }
        let mean = drifts.reduce(0, +) / Double(drifts.count)
        print("\(same) of \(expected.samples.count) the same label; drift \(mean) on average, \(worst) at most")
        XCTAssertGreaterThanOrEqual(Double(same) / Double(expected.samples.count), recipe.min_agreement)
        XCTAssertLessThanOrEqual(mean, recipe.mean_drift)
        if let most = recipe.max_drift { XCTAssertLessThanOrEqual(worst, most) }
    }

    func testTheManifestHasTheModelsLabelsAndSize() throws {
        let signature = try Classifier().manifest.signature
        XCTAssertGreaterThanOrEqual(signature.labels.count, 2)
        XCTAssertEqual(signature.host.steps.last?.width, signature.input.width)
        XCTAssertEqual(signature.host.steps.last?.height, signature.input.height)
    }
}
