// The rules that can be checked without a model: what a resize, a turn and a crop do to known pixels.

import XCTest

@testable import Classify

final class PreprocessTests: XCTestCase {
    func testShrinkingAveragesAndDoesNotAlias() {
        let stripes = Raster(width: 8, height: 1, channels: 1, bytes: [0, 255, 0, 255, 0, 255, 0, 255])
        let small = resized(stripes, width: 4, height: 1, by: .box)
        XCTAssertEqual(small.bytes, [128, 128, 128, 128])
    }

    func testAQuarterTurnClockwise() {
        let image = Raster(width: 2, height: 1, channels: 1, bytes: [1, 2])
        XCTAssertEqual(turned(image, 6), Raster(width: 1, height: 2, channels: 1, bytes: [1, 2]))
        XCTAssertEqual(turned(image, 8), Raster(width: 1, height: 2, channels: 1, bytes: [2, 1]))
    }

    func testWhatLiesOutsideIsBlackRepeatedOrMirrored() {
        let image = Raster(width: 3, height: 1, channels: 1, bytes: [1, 2, 3])
        func cut(_ pad: String) -> [UInt8] { region(image, left: -2, top: 0, width: 7, height: 1, pad: pad).bytes }
        XCTAssertEqual(cut("zeros"), [0, 0, 1, 2, 3, 0, 0])
        XCTAssertEqual(cut("border"), [1, 1, 1, 2, 3, 3, 3])
        XCTAssertEqual(cut("reflection"), [3, 2, 1, 2, 3, 2, 1])
    }

    func testSixteenBitsAreScaledOrCutOff() {
        let scaled = narrowed([0, 257, 65535], width: 3, height: 1, range: [0, 65535])
        XCTAssertEqual(scaled.bytes, [0, 0, 0, 1, 1, 1, 255, 255, 255])
        let cut = narrowed([0, 257, 65535], width: 3, height: 1, range: nil)
        XCTAssertEqual(cut.bytes, [0, 0, 0, 255, 255, 255, 255, 255, 255])
    }

    func testAnUnknownStepIsAnError() {
        let step = Step(op: "stretch", width: 1, height: 1, resample: .bilinear, pad: "zeros")
        let image = Raster(width: 1, height: 1, channels: 3)
        XCTAssertThrowsError(try prepared(image, host: Host(exif: false, steps: [step]), channels: 3))
    }
}
