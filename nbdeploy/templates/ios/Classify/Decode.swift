// A picture file as raw red, green and blue, with the numbers that stand in the file.
//
// Colour profiles are not applied: the model was trained on the numbers of the file, as Pillow reads them. Not run by its
// makers: it needs Apple's ImageIO. JPEG decoders differ by a few levels; the test says what that does to the answers.

import CoreGraphics
import Foundation
import ImageIO

enum DecodeError: Error {
    case notAPicture
    case tooLarge(width: Int, height: Int)
}

struct Decoded {
    var raster: Raster
    /// EXIF's, 1...8.
    var orientation: Int
}

/// The picture in the bytes of a file. One of more than `mostPixels` is refused before it is decoded. `range` is what gray of
/// 16 bits is scaled from, as the manifest says.
func decoded(_ data: Data, range: [Double]?, mostPixels: Int = 178_956_970) throws -> Decoded {
    guard let source = CGImageSourceCreateWithData(data as CFData, nil),
        let facts = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any],
        let width = facts[kCGImagePropertyPixelWidth] as? Int,
        let height = facts[kCGImagePropertyPixelHeight] as? Int
    else { throw DecodeError.notAPicture }
    guard width * height <= mostPixels else { throw DecodeError.tooLarge(width: width, height: height) }
    guard let image = CGImageSourceCreateImageAtIndex(source, 0, nil) else { throw DecodeError.notAPicture }
    return Decoded(raster: try raster(image, range: range), orientation: facts[kCGImagePropertyOrientation] as? Int ?? 1)
}

/// The pixels of an image as they are stored, without regard to its colour profile and its transparency.
func raster(_ image: CGImage, range: [Double]?) throws -> Raster {
    let model = image.colorSpace?.model
    if model == .monochrome && image.bitsPerPixel == 16 && image.bitsPerComponent == 16 {
        return try deepGray(image, range: range)
    }
    if model == .monochrome { return try drawnGray(image) }
    // Taken as sRGB and drawn into sRGB, the numbers stay what they are. Palettes and CMYK have to be converted.
    let plain = CGColorSpace(name: CGColorSpace.sRGB)!
    let named = model == .rgb ? image.copy(colorSpace: plain) ?? image : image
    let (width, height) = (image.width, image.height)
    var bytes = [UInt8](repeating: 0, count: width * height * 4)
    let drawn = bytes.withUnsafeMutableBytes { memory -> Bool in
        guard
            let context = CGContext(
                data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
                space: plain, bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
        else { return false }
        context.interpolationQuality = .none
        context.draw(named, in: CGRect(x: 0, y: 0, width: width, height: height))
        return true
    }
    guard drawn else { throw DecodeError.notAPicture }
    var result = Raster(width: width, height: height, channels: 3)
    for at in 0..<(width * height) {
        let alpha = Int(bytes[4 * at + 3])
        for channel in 0..<3 {
            let value = Int(bytes[4 * at + channel])
            // Pillow drops transparency; Core Graphics multiplied by it.
            result.bytes[3 * at + channel] =
                alpha == 255 || alpha == 0 ? UInt8(value) : UInt8(min(255, (value * 255 + alpha / 2) / alpha))
        }
    }
    return result
}

/// Gray of 16 bits, read and not drawn: a drawing would keep the upper eight bits only, in a rounding of its own.
private func deepGray(_ image: CGImage, range: [Double]?) throws -> Raster {
    guard let stored = image.dataProvider?.data as Data? else { throw DecodeError.notAPicture }
    let (width, height, line) = (image.width, image.height, image.bytesPerRow)
    guard stored.count >= line * (height - 1) + 2 * width else { throw DecodeError.notAPicture }
    let bytes = [UInt8](stored)
    let upper = image.byteOrderInfo == .order16Little ? 1 : 0
    var values = [UInt16](repeating: 0, count: width * height)
    for y in 0..<height {
        for x in 0..<width {
            let at = y * line + 2 * x
            values[y * width + x] = UInt16(bytes[at + upper]) << 8 | UInt16(bytes[at + 1 - upper])
        }
    }
    return narrowed(values, width: width, height: height, range: range)
}

private func drawnGray(_ image: CGImage) throws -> Raster {
    let (width, height) = (image.width, image.height)
    var bytes = [UInt8](repeating: 0, count: width * height)
    let drawn = bytes.withUnsafeMutableBytes { memory -> Bool in
        guard let space = image.colorSpace,
            let context = CGContext(
                data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width,
                space: space, bitmapInfo: CGImageAlphaInfo.none.rawValue)
        else { return false }
        context.interpolationQuality = .none
        context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
        return true
    }
    guard drawn else { throw DecodeError.notAPicture }
    var result = Raster(width: width, height: height, channels: 3)
    for at in 0..<(width * height) {
        for channel in 0..<3 { result.bytes[3 * at + channel] = bytes[at] }
    }
    return result
}
