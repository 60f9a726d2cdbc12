// The one resize that every nbdeploy app does: Pillow's, written out. Pure Swift, no frameworks.
//
// Two passes, each rounded to 8 bits: across and then down, or down first where many more rows than columns go (Pillow 13;
// nbdeploy's docs/resize.md has the rule in words). An output pixel is the weighted mean of the input pixels
// under a filter that is stretched by the factor of shrinking, so shrinking does not alias. Weights are whole numbers of
// 22 bits. Compiled on Linux and compared there with Pillow on random pictures; not run on an iPhone by its makers.

/// A picture of 8-bit numbers: rows from the top, pixels from the left, `channels` numbers a pixel.
struct Raster: Equatable {
    var width: Int
    var height: Int
    var channels: Int
    var bytes: [UInt8]

    init(width: Int, height: Int, channels: Int, bytes: [UInt8]) {
        precondition(bytes.count == width * height * channels, "a raster of another size")
        (self.width, self.height, self.channels, self.bytes) = (width, height, channels, bytes)
    }

    init(width: Int, height: Int, channels: Int) {
        self.init(
            width: width, height: height, channels: channels, bytes: [UInt8](repeating: 0, count: width * height * channels))
    }
}

/// The filters a manifest can name under `resample`.
enum Resample: String, Decodable {
    case nearest, box, bilinear, hamming, bicubic, lanczos

    /// How far the filter reaches from its middle, in pixels.
    var support: Double {
        switch self {
        case .nearest: return 0
        case .box: return 0.5
        case .bilinear, .hamming: return 1
        case .bicubic: return 2
        case .lanczos: return 3
        }
    }

    /// The weight at the distance `x` from the middle.
    func weight(_ x: Double) -> Double {
        let far = abs(x)
        switch self {
        case .nearest: return 0
        case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
        case .bilinear: return far < 1 ? 1 - far : 0
        case .hamming:
            return far == 0 ? 1 : far >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * cosine(x * .pi))
        case .bicubic:  // Keys' cubic with a = -0.5
            if far < 1 { return (1.5 * far - 2.5) * far * far + 1 }
            return far < 2 ? ((-0.5 * far + 2.5) * far - 4) * far + 2 : 0
        case .lanczos: return far < 3 ? sinc(x) * sinc(x / 3) : 0
        }
    }
}

/// `image` at another size.
func resized(_ image: Raster, width: Int, height: Int, by resample: Resample) -> Raster {
    if image.width == width && image.height == height { return image }
    if resample == .nearest { return nearest(image, width: width, height: height) }
    let (lostRows, lostColumns) = (image.height - height, image.width - width)
    let rowsFirst = lostRows > 0 && lostRows > 2 * lostColumns
    let first = rowsFirst ? rows(image, height, resample) : columns(image, width, resample)
    return rowsFirst ? columns(first, width, resample) : rows(first, height, resample)
}

private func columns(_ image: Raster, _ width: Int, _ resample: Resample) -> Raster {
    width == image.width ? image : across(image, to: Taps(from: image.width, to: width, by: resample))
}

private func rows(_ image: Raster, _ height: Int, _ resample: Resample) -> Raster {
    height == image.height ? image : down(image, to: Taps(from: image.height, to: height, by: resample))
}

private let precision = 22  // 32 bits less 8 of a pixel less 2 to spare: what is summed fits

/// For every output pixel of one axis: the first input pixel that counts, and the weights from there on.
private struct Taps {
    var first: [Int] = []
    var weights: [[Int32]] = []

    init(from size: Int, to wanted: Int, by resample: Resample) {
        let scale = Double(size) / Double(wanted)
        let stretch = max(scale, 1)
        let reach = resample.support * stretch
        for index in 0..<wanted {
            let middle = (Double(index) + 0.5) * scale
            let low = max(Int(middle - reach + 0.5), 0)
            let high = min(Int(middle + reach + 0.5), size)
            var shares = (low..<high).map { resample.weight((Double($0) - middle + 0.5) / stretch) }
            let total = shares.reduce(0, +)
            if total != 0 { shares = shares.map { $0 / total } }
            first.append(low)
            weights.append(shares.map { share in
                let fixed = share * Double(1 << precision)
                return Int32(fixed < 0 ? fixed - 0.5 : fixed + 0.5)
            })
        }
    }
}

private func clipped(_ sum: Int) -> UInt8 { UInt8(max(0, min(255, sum >> precision))) }

private func across(_ image: Raster, to taps: Taps) -> Raster {
    var result = Raster(width: taps.first.count, height: image.height, channels: image.channels)
    let channels = image.channels
    image.bytes.withUnsafeBufferPointer { source in
        result.bytes.withUnsafeMutableBufferPointer { target in
            var out = 0
            for row in 0..<image.height {
                let start = row * image.width * channels
                for (first, weights) in zip(taps.first, taps.weights) {
                    for channel in 0..<channels {
                        var sum = 1 << (precision - 1)
                        var at = start + first * channels + channel
                        for weight in weights {
                            sum += Int(source[at]) * Int(weight)
                            at += channels
                        }
                        target[out] = clipped(sum)
                        out += 1
                    }
                }
            }
        }
    }
    return result
}

private func down(_ image: Raster, to taps: Taps) -> Raster {
    var result = Raster(width: image.width, height: taps.first.count, channels: image.channels)
    let line = image.width * image.channels
    var sums = [Int](repeating: 0, count: line)
    image.bytes.withUnsafeBufferPointer { source in
        result.bytes.withUnsafeMutableBufferPointer { target in
            for (row, (first, weights)) in zip(taps.first, taps.weights).enumerated() {
                for at in 0..<line { sums[at] = 1 << (precision - 1) }
                for (number, weight) in weights.enumerated() {
                    let start = (first + number) * line
                    for at in 0..<line { sums[at] += Int(source[start + at]) * Int(weight) }
                }
                for at in 0..<line { target[row * line + at] = clipped(sums[at]) }
            }
        }
    }
    return result
}

private func nearest(_ image: Raster, width: Int, height: Int) -> Raster {
    var result = Raster(width: width, height: height, channels: image.channels)
    let columns = nearestPlaces(from: image.width, to: width)
    for (y, row) in nearestPlaces(from: image.height, to: height).enumerated() {
        for (x, column) in columns.enumerated() {
            for channel in 0..<image.channels {
                result.bytes[(y * width + x) * image.channels + channel] =
                    image.bytes[(row * image.width + column) * image.channels + channel]
            }
        }
    }
    return result
}

/// The input pixel under the middle of every output pixel. The places are added up step by step, as Pillow does: where a
/// middle falls between two pixels, rounding decides.
private func nearestPlaces(from size: Int, to wanted: Int) -> [Int] {
    let scale = Double(size) / Double(wanted)
    var place = 0.5 * scale
    return (0..<wanted).map { _ in
        defer { place += scale }
        return min(Int(place), size - 1)
    }
}
