// Reads pictures and what to do with them, a word or bytes in hexadecimal a field, and prints what the app's files make of
// each, or the error's message.
package nbdeploy.camera

private fun bytes(hex: String) = ByteArray(hex.length / 2) { hex.substring(2 * it, 2 * it + 2).toInt(16).toByte() }

private const val DIGITS = "0123456789abcdef"

private fun hex(data: ByteArray): String {
    val text = StringBuilder(data.size * 2)
    for (byte in data) text.append(DIGITS[byte.toInt() shr 4 and 15]).append(DIGITS[byte.toInt() and 15])
    return text.toString()
}

private fun doing(picture: Picture, words: List<String>): Picture = when (words[0]) {
    "turn" -> upright(picture, words[1].toInt())
    "degrees" -> upright(picture, orientationOf(words[1].toInt()))
    "colour" -> coloured(picture, words[1].toInt())
    "step" -> preprocess(picture, listOf(Step(words[1], words[2].toInt(), words[3].toInt(), words[4], words[5])))
    else -> throw IllegalArgumentException(words[0])
}

private fun shown(start: Picture, steps: List<List<String>>): String {
    val made = steps.fold(start, ::doing)
    return "${made.width} ${made.height} ${made.channels} ${hex(made.data)}"
}

private fun answer(line: String): String {
    val parts = line.split(";").map { it.trim().split(" ") }
    val head = parts[0]
    return when (head[0]) {
        "picture" -> shown(Picture(head[1].toInt(), head[2].toInt(), head[3].toInt(), bytes(head[4])), parts.drop(1))
        "png" -> shown(decodePng(bytes(head[1]), head[2].toDoubleOrNull(), head[3].toDoubleOrNull()), parts.drop(1))
        "best" -> {
            val given = head.drop(2).map { it.toFloat() }.toFloatArray()
            best(given.indices.map { "l$it" }, given, head[1].toInt()).joinToString(" ") { it.label }
        }
        else -> throw IllegalArgumentException(head[0])
    }
}

fun main() {
    for (line in generateSequence { readLine() }) {
        println(try { answer(line) } catch (error: PictureError) { "error ${error.message}" })
    }
}
