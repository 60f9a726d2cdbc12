// PNG to pixels as Pillow reads them: Android's own decoder applies gamma and colour profiles, and cuts 16 bits down.
// No Android in here, so that it is tested without a phone.
package nbdeploy.camera

import java.util.zip.DataFormatException
import java.util.zip.Inflater
import kotlin.math.abs

private val SIGNATURE = intArrayOf(137, 80, 78, 71, 13, 10, 26, 10)
private val VALUES = mapOf(0 to 1, 2 to 3, 3 to 1, 4 to 2, 6 to 4) // kind of colour -> values a pixel

// Left, top, steps across and down of the seven passes of an interlaced picture.
private val PASSES = listOf(
    intArrayOf(0, 0, 8, 8), intArrayOf(4, 0, 8, 8), intArrayOf(0, 4, 4, 8), intArrayOf(2, 0, 4, 4),
    intArrayOf(0, 2, 2, 4), intArrayOf(1, 0, 2, 2), intArrayOf(0, 1, 1, 2)
)
private val WHOLE = listOf(intArrayOf(0, 0, 1, 1))

/** Whether these bytes begin as a PNG does. */
fun isPng(bytes: ByteArray): Boolean =
    bytes.size >= 33 && SIGNATURE.indices.all { bytes[it].toInt() and 255 == SIGNATURE[it] }

/**
 * The picture, gray or RGB; alpha is dropped. [low] and [high] are the values that become 0 and 255 in gray of 16 bits
 * (`host.ranges.integers` of the manifest); without, such values are clipped. Throws [PictureError].
 */
fun decodePng(bytes: ByteArray, low: Double?, high: Double?): Picture {
    val broken = try {
        return Png(bytes, low, high).picture()
    } catch (error: DataFormatException) {
        error.message
    } catch (error: IndexOutOfBoundsException) {
        "it is cut short"
    } catch (error: NegativeArraySizeException) {
        "its size makes no sense"
    }
    throw PictureError("The PNG cannot be read ($broken).")
}

private class Png(private val bytes: ByteArray, private val low: Double?, private val high: Double?) {
    private val width = number(16)
    private val height = number(20)
    private val depth = bytes[24].toInt()
    private val kind = bytes[25].toInt()
    private val values = VALUES[kind] ?: throw PictureError("The PNG has an unknown kind of colour ($kind).")
    private val channels = if (kind == 0 || kind == 4) 1 else 3
    private val inflater = Inflater()
    private var parts: List<Pair<Int, Int>> = emptyList() // of the pixels: (where, how many bytes)
    private var next = 0
    private var palette = 0 // where it begins

    private fun number(at: Int): Int = (0..3).fold(0) { sum, i -> (sum shl 8) or (bytes[at + i].toInt() and 255) }

    fun picture(): Picture {
        if (width < 1 || height < 1 || width.toLong() * height * channels > Int.MAX_VALUE - 64) {
            throw PictureError("The picture is too large for this phone ($width x $height).")
        }
        findChunks()
        val out = ByteArray(width * height * channels)
        try {
            for (pass in if (bytes[28].toInt() == 0) WHOLE else PASSES) read(pass, out)
        } finally {
            inflater.end()
        }
        return Picture(width, height, channels, out)
    }

    private fun findChunks() {
        val found = ArrayList<Pair<Int, Int>>()
        var at = 8
        while (at + 12 <= bytes.size) {
            val length = number(at)
            if (length < 0) break
            val name = String(bytes, at + 4, 4, Charsets.ISO_8859_1)
            if (name == "IDAT") found.add(Pair(at + 8, minOf(length, bytes.size - at - 8)))
            if (name == "PLTE") palette = at + 8
            if (name == "IEND" || length > bytes.size - at - 12) break
            at += 12 + length
        }
        parts = found
    }

    private fun read(pass: IntArray, out: ByteArray) {
        val wide = (width - pass[0] + pass[2] - 1) / pass[2]
        val high = (height - pass[1] + pass[3] - 1) / pass[3]
        if (wide <= 0 || high <= 0) return
        val bits = values * depth
        val near = maxOf(1, bits / 8)
        var above = ByteArray(((wide.toLong() * bits + 7) / 8).toInt())
        var row = ByteArray(above.size)
        val filter = ByteArray(1)
        for (y in 0 until high) {
            inflate(filter)
            inflate(row)
            unfilter(filter[0].toInt(), row, above, near)
            val line = (pass[1] + y * pass[3]) * width + pass[0]
            for (x in 0 until wide) put(row, x, out, (line + x * pass[2]) * channels)
            val spare = above
            above = row
            row = spare
        }
    }

    /** Fill `into` with the next bytes of the pixels. */
    private fun inflate(into: ByteArray) {
        var done = 0
        while (done < into.size) {
            val got = inflater.inflate(into, done, into.size - done)
            done += got
            if (got > 0 || done == into.size) continue
            if (inflater.finished() || next == parts.size) throw IndexOutOfBoundsException()
            if (inflater.needsInput()) {
                inflater.setInput(bytes, parts[next].first, parts[next].second)
                next += 1
            }
        }
    }

    private fun put(row: ByteArray, x: Int, out: ByteArray, at: Int) {
        if (kind == 3) {
            val color = palette + 3 * sample(row, x)
            for (i in 0 until 3) out[at + i] = bytes[color + i]
        } else {
            for (i in 0 until channels) out[at + i] = inByte(sample(row, x * values + i)).toByte()
        }
    }

    private fun sample(row: ByteArray, i: Int): Int {
        if (depth == 8) return row[i].toInt() and 255
        if (depth == 16) return (row[2 * i].toInt() and 255 shl 8) or (row[2 * i + 1].toInt() and 255)
        val bit = i * depth
        return (row[bit / 8].toInt() and 255 shr (8 - depth - bit % 8)) and ((1 shl depth) - 1)
    }

    /** Pillow keeps all 16 bits of gray alone; of colour and of gray with alpha it takes the upper eight. */
    private fun inByte(value: Int): Int = when {
        depth < 8 -> value * 255 / ((1 shl depth) - 1)
        depth == 8 -> value
        kind == 0 -> eightBits(value, low, high)
        else -> value shr 8
    }
}

private fun unfilter(filter: Int, row: ByteArray, above: ByteArray, near: Int) {
    if (filter == 0) return
    for (i in row.indices) {
        val left = if (i >= near) row[i - near].toInt() and 255 else 0
        val up = above[i].toInt() and 255
        val corner = if (i >= near) above[i - near].toInt() and 255 else 0
        val guess = when (filter) {
            1 -> left
            2 -> up
            3 -> (left + up) / 2
            4 -> paeth(left, up, corner)
            else -> throw DataFormatException("a row has the unknown filter $filter")
        }
        row[i] = (row[i] + guess).toByte()
    }
}

private fun paeth(left: Int, up: Int, corner: Int): Int {
    val guess = left + up - corner
    val a = abs(guess - left)
    val b = abs(guess - up)
    val c = abs(guess - corner)
    return if (a <= b && a <= c) left else if (b <= c) up else corner
}
