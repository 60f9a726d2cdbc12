// From a decoded picture to the bytes that the model takes, by the steps of the bundle's manifest, and from its answer to
// what is shown. The same rules as app/python/predict.py. No Android in here, so that it is tested without a phone.
package nbdeploy.camera

import kotlin.math.max
import kotlin.math.min

/** One thing that is done to a picture before the model sees it: an entry of `host.steps` in the manifest. */
class Step(val op: String, val width: Int, val height: Int, val resample: String, val pad: String)

/** A label and its probability, 0..1. */
class Answer(val label: String, val probability: Float)

/** [picture] after [steps], of the size that the model takes. Throws [PictureError]. */
fun preprocess(picture: Picture, steps: List<Step>): Picture = steps.fold(picture) { seen, step ->
    val wide = seen.width.toDouble() / step.width
    val high = seen.height.toDouble() / step.height
    when (step.op) {
        "crop_resize" -> fit(seen, step, min(wide, high))
        "pad_resize" -> fit(seen, step, max(wide, high))
        "squish_resize" -> resize(seen, step.width, step.height, step.resample)
        "center_crop" -> {
            val left = Math.floorDiv(seen.width - step.width, 2)
            val top = Math.floorDiv(seen.height - step.height, 2)
            region(seen, left, top, step.width, step.height, step.pad)
        }
        "exact_size" -> exact(seen, step)
        else -> throw PictureError("This app does not know the step ${step.op}.")
    }
}

private fun exact(picture: Picture, step: Step): Picture {
    if (picture.width == step.width && picture.height == step.height) return picture
    throw PictureError(
        "The picture is ${picture.width} x ${picture.height}; this model was trained without a resize and takes only " +
            "${step.width} x ${step.height}."
    )
}

private fun fit(picture: Picture, step: Step, scale: Double): Picture {
    // The region keeps the wanted shape; toInt cuts towards zero, also for the negative corner of a padded region.
    val width = (scale * step.width).toInt()
    val height = (scale * step.height).toInt()
    val left = (0.5 * (picture.width - width)).toInt()
    val top = (0.5 * (picture.height - height)).toInt()
    if (width < 1 || height < 1) { // a picture so narrow that nothing of it is left
        return Picture(step.width, step.height, picture.channels, ByteArray(step.width * step.height * picture.channels))
    }
    return resize(region(picture, left, top, width, height, step.pad), step.width, step.height, step.resample)
}

/** The rectangle of that corner and size; what lies outside the picture is padded. */
fun region(picture: Picture, left: Int, top: Int, width: Int, height: Int, pad: String): Picture {
    if (left == 0 && top == 0 && width == picture.width && height == picture.height) return picture
    val channels = picture.channels
    val out = ByteArray(width * height * channels)
    val columns = IntArray(width) { inside(left + it, picture.width, pad) }
    val whole = left >= 0 && left + width <= picture.width
    for (y in 0 until height) {
        val row = inside(top + y, picture.height, pad)
        if (row >= 0 && whole) {
            val from = (row * picture.width + left) * channels
            System.arraycopy(picture.data, from, out, y * width * channels, width * channels)
        } else if (row >= 0) {
            for (x in 0 until width) {
                if (columns[x] < 0) continue
                val from = (row * picture.width + columns[x]) * channels
                System.arraycopy(picture.data, from, out, (y * width + x) * channels, channels)
            }
        }
    }
    return Picture(width, height, channels, out)
}

/** The pixel of a line of `size` that stands at `at`; -1 for black. */
private fun inside(at: Int, size: Int, pad: String): Int {
    if (at in 0 until size) return at
    return when (pad) {
        "zeros" -> -1
        "border" -> min(max(at, 0), size - 1)
        "reflection" -> {
            if (size == 1) return 0
            val period = 2 * (size - 1)
            val within = Math.floorMod(at, period)
            if (within < size) within else period - within
        }
        else -> throw PictureError("This app does not know the padding $pad.")
    }
}

/**
 * Gray (1), gray and alpha (2), RGB (3) or RGBA (4) as the model's own number of channels: alpha is dropped, not blended,
 * and gray is Pillow's weighing of red, green and blue.
 */
fun coloured(picture: Picture, channels: Int): Picture {
    val from = picture.channels
    if (from == channels) return picture
    val source = picture.data
    val out = ByteArray(picture.width * picture.height * channels)
    var p = 0
    for (q in source.indices step from) {
        if (from < 3) {
            for (channel in 0 until channels) out[p++] = source[q]
        } else if (channels == 1) {
            val red = (source[q].toInt() and 255) * 19595
            val green = (source[q + 1].toInt() and 255) * 38470
            val blue = (source[q + 2].toInt() and 255) * 7471
            out[p++] = ((red + green + blue + 0x8000) shr 16).toByte()
        } else {
            for (channel in 0 until 3) out[p++] = source[q + channel]
        }
    }
    return Picture(picture.width, picture.height, channels, out)
}

/** Turned or mirrored as an EXIF orientation (1 to 8) says. */
fun upright(picture: Picture, orientation: Int): Picture {
    if (orientation !in 2..8) return picture
    val channels = picture.channels
    val swapped = orientation >= 5
    val wide = if (swapped) picture.height else picture.width
    val high = if (swapped) picture.width else picture.height
    val mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8
    val flipped = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7
    val out = ByteArray(picture.data.size)
    var p = 0
    for (y in 0 until high) {
        for (x in 0 until wide) {
            var u = if (swapped) y else x
            var v = if (swapped) x else y
            if (mirrored) u = picture.width - 1 - u
            if (flipped) v = picture.height - 1 - v
            val q = (v * picture.width + u) * channels
            for (channel in 0 until channels) out[p++] = picture.data[q + channel]
        }
    }
    return Picture(wide, high, channels, out)
}

/** A clockwise turn by 90, 180 or 270 degrees as an EXIF orientation. */
fun orientationOf(degrees: Int): Int = when (Math.floorMod(degrees, 360)) {
    90 -> 6
    180 -> 3
    270 -> 8
    else -> 1
}

/**
 * A value of more than 8 bits as one of 8: [low] becomes 0 and [high] 255, or, where both are null (`host.ranges` of the
 * manifest names none), what is over 255 is cut off, as Pillow does it.
 */
fun eightBits(value: Int, low: Double?, high: Double?): Int {
    if (low == null || high == null) return min(255, max(0, value))
    return max(0.0, min(255.0, Math.rint((value - low) * (255 / (high - low))))).toInt()
}

/** The [most] likeliest labels, the likeliest first; equal ones in the order of the labels. */
fun best(labels: List<String>, probabilities: FloatArray, most: Int): List<Answer> =
    labels.indices.sortedByDescending { probabilities[it] }.take(most).map { Answer(labels[it], probabilities[it]) }
