package nbdeploy.camera

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import androidx.camera.core.ImageProxy
import androidx.exifinterface.media.ExifInterface
import java.io.ByteArrayInputStream
import java.io.IOException
import java.nio.ByteBuffer

/**
 * The bytes of a picture's file as the model's host code reads them: turned where the manifest says so, gamma and colour
 * profiles left alone. Throws [PictureError].
 */
fun decode(bytes: ByteArray, contract: Contract): Picture = try {
    val picture = coloured(
        if (isPng(bytes)) decodePng(bytes, contract.low, contract.high) else decodeByAndroid(bytes),
        contract.channels
    )
    if (contract.exif) upright(picture, orientation(bytes)) else picture
} catch (error: OutOfMemoryError) {
    throw PictureError("The picture is too large for this phone.")
}

private fun decodeByAndroid(bytes: ByteArray): Picture {
    val options = BitmapFactory.Options().apply {
        inPreferredConfig = Bitmap.Config.ARGB_8888
        inPremultiplied = false // colours under transparency stay what they are
        inScaled = false
    }
    val bitmap = BitmapFactory.decodeByteArray(bytes, 0, bytes.size, options)
        ?: throw PictureError("This file is not a picture that the phone can read.")
    // As bytes, not with getPixels, which would convert colours to sRGB.
    val pixels = ByteBuffer.allocate(bitmap.byteCount)
    bitmap.copyPixelsToBuffer(pixels)
    val picture = packed(pixels.array(), bitmap.width, bitmap.height, bitmap.rowBytes)
    bitmap.recycle()
    return picture
}

/** The EXIF orientation, 1 to 8. HEIF is turned by Android itself. */
private fun orientation(bytes: ByteArray): Int = try {
    val heif = bytes.size > 12 && String(bytes, 4, 4, Charsets.ISO_8859_1) == "ftyp"
    val exif = ExifInterface(ByteArrayInputStream(bytes))
    if (heif) 1 else exif.getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
} catch (error: IOException) {
    1 // a broken EXIF block says nothing about the pixels
}

/** A frame of the camera in RGBA, turned the right way up. */
fun pictureOf(frame: ImageProxy): Picture {
    val plane = frame.planes[0]
    val pixels = ByteArray(plane.buffer.remaining())
    plane.buffer.get(pixels)
    val picture = packed(pixels, frame.width, frame.height, plane.rowStride)
    return upright(picture, orientationOf(frame.imageInfo.rotationDegrees))
}

/** RGBA with rows `stride` bytes apart as RGB without gaps. */
private fun packed(rgba: ByteArray, width: Int, height: Int, stride: Int): Picture {
    val out = ByteArray(width * height * 3)
    var p = 0
    for (y in 0 until height) {
        var q = y * stride
        for (x in 0 until width) {
            out[p++] = rgba[q]
            out[p++] = rgba[q + 1]
            out[p++] = rgba[q + 2]
            q += 4
        }
    }
    return Picture(width, height, 3, out)
}
