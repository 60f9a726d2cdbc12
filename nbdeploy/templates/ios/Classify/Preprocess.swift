// From a decoded picture to the pixels that the model takes, step by step as manifest.json says. Pure Swift.
//
// It does what app/python/predict.py does, to within one level of 8-bit colour; compiled and compared with it on Linux,
// not run on an iPhone by its makers.

enum PreprocessError: Error, Equatable {
    case unknownStep(String)
    case wrongSize(width: Int, height: Int, wanted: String)
}

/// `picture` (red, green, blue) as the model takes it: `channels` 3 or 1, with the size of the last step.
///
/// `orientation` is the file's EXIF orientation, 1...8; it is heeded only where the host's rule says so.
func prepared(_ picture: Raster, orientation: Int = 1, host: Host, channels: Int) throws -> Raster {
    var image = host.exif ? turned(picture, orientation) : picture
    if channels == 1 { image = gray(image) }
    for step in host.steps { image = try applied(step, to: image) }
    return image
}

/// Gray of 16 bits, a value a pixel, as a picture of 8: `range` holds the values that become 0 and 255; without one, what is
/// over 255 is cut off, as Pillow does it.
func narrowed(_ values: [UInt16], width: Int, height: Int, range: [Double]?) -> Raster {
    var result = Raster(width: width, height: height, channels: 3)
    for (at, value) in values.enumerated() {
        var scaled = Double(value)
        if let range, range.count == 2 {
            scaled = ((scaled - range[0]) * (255 / (range[1] - range[0]))).rounded(.toNearestOrEven)
        }
        let byte = UInt8(min(max(scaled, 0), 255))
        for channel in 0..<3 { result.bytes[3 * at + channel] = byte }
    }
    return result
}

private func applied(_ step: Step, to image: Raster) throws -> Raster {
    let wide = Double(image.width) / Double(step.width)
    let high = Double(image.height) / Double(step.height)
    switch step.op {
    case "crop_resize": return fitted(image, step, scale: min(wide, high))
    case "pad_resize": return fitted(image, step, scale: max(wide, high))
    case "squish_resize": return resized(image, width: step.width, height: step.height, by: step.resample)
    case "center_crop":
        let left = halved(image.width - step.width)
        let top = halved(image.height - step.height)
        return region(image, left: left, top: top, width: step.width, height: step.height, pad: step.pad)
    case "exact_size":
        guard image.width == step.width && image.height == step.height else {
            throw PreprocessError.wrongSize(
                width: image.width, height: image.height, wanted: "\(step.width) x \(step.height)")
        }
        return image
    default: throw PreprocessError.unknownStep(step.op)
    }
}

/// The largest centred region of the wanted shape (or the smallest that holds the picture), resized.
private func fitted(_ image: Raster, _ step: Step, scale: Double) -> Raster {
    let width = Int(scale * Double(step.width))
    let height = Int(scale * Double(step.height))
    // Int() cuts towards zero, also for the negative corner of a padded region.
    let left = Int(0.5 * Double(image.width - width))
    let top = Int(0.5 * Double(image.height - height))
    let part = region(image, left: left, top: top, width: width, height: height, pad: step.pad)
    return resized(part, width: step.width, height: step.height, by: step.resample)
}

/// Half of a number, rounded down, also below zero.
private func halved(_ number: Int) -> Int { number >= 0 ? number / 2 : -((1 - number) / 2) }

/// A rectangle of the picture; what lies outside is padded: "zeros", "border" or "reflection".
func region(_ image: Raster, left: Int, top: Int, width: Int, height: Int, pad: String) -> Raster {
    // Only the part of the picture that is inside the rectangle is mirrored or repeated.
    let columns = source(from: left, count: width, size: image.width, pad: pad)
    let rows = source(from: top, count: height, size: image.height, pad: pad)
    var result = Raster(width: width, height: height, channels: image.channels)
    for (y, row) in rows.enumerated() where row >= 0 {
        for (x, column) in columns.enumerated() where column >= 0 {
            for channel in 0..<image.channels {
                result.bytes[(y * width + x) * image.channels + channel] =
                    image.bytes[(row * image.width + column) * image.channels + channel]
            }
        }
    }
    return result
}

/// Which pixel of an axis of `size` stands at each of `count` places from `start` on; -1 is black.
private func source(from start: Int, count: Int, size: Int, pad: String) -> [Int] {
    let low = max(start, 0)
    let inside = min(start + count, size) - low
    return (start..<(start + count)).map { place in
        if place >= low && place < low + inside { return place }
        if pad == "border" { return place < low ? low : low + inside - 1 }
        if pad != "reflection" { return -1 }
        if inside == 1 { return low }
        let period = 2 * (inside - 1)
        let along = ((place - low) % period + period) % period
        return low + (along < inside ? along : period - along)
    }
}

/// Red, green and blue as one gray, with the weights of ITU-R 601 in 16 bits.
func gray(_ image: Raster) -> Raster {
    if image.channels == 1 { return image }
    var result = Raster(width: image.width, height: image.height, channels: 1)
    for at in 0..<(image.width * image.height) {
        let (red, green, blue) = (Int(image.bytes[3 * at]), Int(image.bytes[3 * at + 1]), Int(image.bytes[3 * at + 2]))
        result.bytes[at] = UInt8((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16)
    }
    return result
}

/// The picture as its EXIF orientation (1...8) says it is to be seen.
func turned(_ image: Raster, _ orientation: Int) -> Raster {
    guard (2...8).contains(orientation) else { return image }
    let swapped = orientation >= 5
    let (width, height) = swapped ? (image.height, image.width) : (image.width, image.height)
    let (last, bottom) = (image.width - 1, image.height - 1)
    var result = Raster(width: width, height: height, channels: image.channels)
    for y in 0..<height {
        for x in 0..<width {
            let (column, row): (Int, Int)
            switch orientation {
            case 2: (column, row) = (last - x, y)
            case 3: (column, row) = (last - x, bottom - y)
            case 4: (column, row) = (x, bottom - y)
            case 5: (column, row) = (y, x)
            case 6: (column, row) = (y, bottom - x)
            case 7: (column, row) = (last - y, bottom - x)
            default: (column, row) = (last - y, x)
            }
            for channel in 0..<image.channels {
                result.bytes[(y * width + x) * image.channels + channel] =
                    image.bytes[(row * image.width + column) * image.channels + channel]
            }
        }
    }
    return result
}
