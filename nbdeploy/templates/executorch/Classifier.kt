import android.content.Context
import java.io.Closeable
import java.io.File
import org.json.JSONObject
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/**
 * The model of one bundle. Labels, shape, file name and how a picture is prepared are read from manifest.json in the
 * app's assets; nothing is written here twice.
 */
class Classifier(context: Context) : Closeable {
    private val manifest = JSONObject(context.assets.open("manifest.json").bufferedReader().use { it.readText() })
    private val signature = manifest.getJSONObject("signature")
    private val input = signature.getJSONObject("input")
    private val shape = input.getJSONArray("shape").let { axes -> LongArray(axes.length()) { axes.getLong(it) } }
    private val module: Module

    /** In output order. */
    val labels: List<String> = signature.getJSONArray("labels").let { all -> List(all.length()) { all.getString(it) } }

    /** How a picture is opened, cut and resized: {"exif": ..., "ranges": ..., "steps": [...]}, for Png.kt, Preprocess.kt. */
    val host: JSONObject = signature.getJSONObject("host")

    /** Of the picture that the model takes, in pixels. */
    val width: Int = input.getInt("width")
    val height: Int = input.getInt("height")
    val channels: Int = input.getInt("channels")

    init {
        // ExecuTorch reads from a path, and an asset has none: the model is copied out where it is new or changed.
        val name = manifest.getString("model")
        val bytes = context.assets.open(name).use { it.readBytes() }
        val copy = File(context.filesDir, name)
        if (!copy.exists() || !copy.readBytes().contentEquals(bytes)) copy.writeBytes(bytes)
        module = Module.load(copy.path)
    }

    /** Probabilities in the order of [labels], from height x width x channels bytes (0..255), row after row. */
    fun probabilities(pixels: ByteArray): FloatArray {
        require(pixels.size == width * height * channels) {
            "The model takes ${width * height * channels} bytes ($width x $height x $channels), not ${pixels.size}."
        }
        val answer = module.forward(EValue.from(Tensor.fromBlobUnsigned(pixels, shape)))
        return answer[0].toTensor().dataAsFloatArray
    }

    /** The likeliest label and its probability. */
    fun classify(pixels: ByteArray): Pair<String, Float> {
        val values = probabilities(pixels)
        val best = values.indices.maxByOrNull { values[it] }!!
        return labels[best] to values[best]
    }

    override fun close() = module.destroy()
}
