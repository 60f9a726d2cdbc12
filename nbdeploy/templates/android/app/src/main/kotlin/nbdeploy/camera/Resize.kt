// The resize that every nbdeploy app shares: antialiased, in whole numbers, the same pixels as Pillow's.
// No Android in here: these lines are compiled and held to Pillow wherever nbdeploy is tested.
package nbdeploy.camera

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.cos
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sin

/** A picture of 8 bits a channel: bytes row by row, the channels of a pixel together. */
class Picture(val width: Int, val height: Int, val channels: Int, val data: ByteArray)

/** A picture that this model cannot take, or that cannot be read. The message is for people. */
class PictureError(message: String) : Exception(message)

private const val BITS = 22 // of a weight's fraction: 255 times the sum of the weights still fits in 31 bits

/** How far a filter reaches, and the weight at a distance; both for a picture that is not made smaller. */
private class Filter(val reach: Double, val weight: (Double) -> Double)

private fun sinc(x: Double): Double = if (x == 0.0) 1.0 else sin(PI * x) / (PI * x)

private fun cubic(x: Double): Double = when {
    x < 1 -> (1.5 * x - 2.5) * x * x + 1
    x < 2 -> -0.5 * (((x - 5) * x + 8) * x - 4)
    else -> 0.0
}

private val FILTERS = mapOf(
    "box" to Filter(0.5) { if (it > -0.5 && it <= 0.5) 1.0 else 0.0 },
    "bilinear" to Filter(1.0) { max(0.0, 1 - abs(it)) },
    "hamming" to Filter(1.0) { if (abs(it) < 1) sinc(it) * (0.54 + 0.46 * cos(PI * it)) else 0.0 },
    "bicubic" to Filter(2.0) { cubic(abs(it)) },
    "lanczos" to Filter(3.0) { if (it >= -3 && it < 3) sinc(it) * sinc(it / 3) else 0.0 }
)

/**
 * For each of `to` places on a line of `from` values: where its window begins, how long it is, and its weights. Those of
 * one window stand at `place * widest` and sum to about 2^[BITS].
 */
private class Windows(from: Int, to: Int, filter: Filter) {
    val first = IntArray(to)
    val length = IntArray(to)
    val widest: Int
    val weights: IntArray

    init {
        val scale = from.toDouble() / to
        val stretch = max(scale, 1.0) // making smaller widens the filter: that is the antialiasing
        val support = filter.reach * stretch
        widest = ceil(support).toInt() * 2 + 1
        weights = IntArray(to * widest)
        val exact = DoubleArray(widest)
        for (place in 0 until to) {
            val centre = (place + 0.5) * scale
            first[place] = max(0, (centre - support + 0.5).toInt())
            length[place] = min(from, (centre + support + 0.5).toInt()) - first[place]
            var sum = 0.0
            for (i in 0 until length[place]) {
                exact[i] = filter.weight((i + first[place] - centre + 0.5) * (1 / stretch))
                sum += exact[i]
            }
            for (i in 0 until length[place]) {
                val share = (if (sum == 0.0) exact[i] else exact[i] / sum) * (1 shl BITS)
                weights[place * widest + i] = (if (share < 0) share - 0.5 else share + 0.5).toInt()
            }
        }
    }
}

/**
 * [picture] as [width] x [height]: one axis, rounded to bytes, then the other; an axis that keeps its size is left.
 * Columns come first, but where more than twice as many rows go as columns. `filter` is a name of the manifest.
 */
fun resize(picture: Picture, width: Int, height: Int, filter: String): Picture {
    if (filter == "nearest") return nearest(picture, width, height)
    val chosen = FILTERS[filter] ?: throw PictureError("This app does not know the resize $filter.")
    val lostRows = picture.height - height
    val lostColumns = picture.width - width
    return if (lostRows > 0 && lostRows > 2 * lostColumns) {
        columns(rows(picture, height, chosen), width, chosen)
    } else {
        rows(columns(picture, width, chosen), height, chosen)
    }
}

private fun columns(picture: Picture, width: Int, filter: Filter): Picture {
    if (width == picture.width) return picture
    val channels = picture.channels
    val out = ByteArray(width * picture.height * channels)
    val windows = Windows(picture.width, width, filter)
    for (y in 0 until picture.height) {
        line(picture.data, y * picture.width * channels, channels, out, y * width * channels, channels, windows, channels)
    }
    return Picture(width, picture.height, channels, out)
}

private fun rows(picture: Picture, height: Int, filter: Filter): Picture {
    if (height == picture.height) return picture
    val step = picture.width * picture.channels
    val out = ByteArray(step * height)
    val windows = Windows(picture.height, height, filter)
    for (x in 0 until picture.width) {
        val at = x * picture.channels
        line(picture.data, at, step, out, at, step, windows, picture.channels)
    }
    return Picture(picture.width, height, picture.channels, out)
}

/** One line of `source` from `at` on, whose neighbours lie `step` apart, into `out` from `atOut` on, `stepOut` apart. */
private fun line(
    source: ByteArray, at: Int, step: Int, out: ByteArray, atOut: Int, stepOut: Int, windows: Windows, channels: Int
) {
    val weights = windows.weights
    for (place in windows.first.indices) {
        val begin = at + windows.first[place] * step
        val w = place * windows.widest
        val count = windows.length[place]
        for (channel in 0 until channels) {
            var sum = 1 shl (BITS - 1) // a half, so that cutting off the fraction rounds
            var p = begin + channel
            for (i in 0 until count) {
                sum += (source[p].toInt() and 255) * weights[w + i]
                p += step
            }
            out[atOut + place * stepOut + channel] = min(255, max(0, sum shr BITS)).toByte()
        }
    }
}

/** The pixel under each place's centre. The positions are summed up, not multiplied: the last bits count at the edges. */
private fun nearest(picture: Picture, width: Int, height: Int): Picture {
    val channels = picture.channels
    val across = places(picture.width, width)
    val out = ByteArray(width * height * channels)
    var p = 0
    for (row in places(picture.height, height)) {
        for (column in across) {
            val q = (row * picture.width + column) * channels
            for (channel in 0 until channels) out[p++] = picture.data[q + channel]
        }
    }
    return Picture(width, height, channels, out)
}

private fun places(from: Int, to: Int): IntArray {
    val step = from.toDouble() / to
    var at = step * 0.5
    return IntArray(to) {
        val found = min(from - 1, at.toInt())
        at += step
        found
    }
}
