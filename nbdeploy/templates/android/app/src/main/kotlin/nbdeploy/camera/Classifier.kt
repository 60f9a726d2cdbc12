package nbdeploy.camera

import android.content.Context
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.MappedByteBuffer
import java.nio.channels.FileChannel
import org.tensorflow.lite.Interpreter

/**
 * The model of the bundle, run by LiteRT: a decoded picture in, a probability for each label out. To be used by one thread
 * at a time. `threads` are those of the processor that it computes on.
 */
class Classifier(context: Context, threads: Int = 2) : AutoCloseable {
    val contract: Contract =
        context.assets.open("manifest.json").use { Contract.read(it.readBytes().toString(Charsets.UTF_8)) }

    private val interpreter =
        Interpreter(mapped(context, contract.model), Interpreter.Options().setNumThreads(threads))
    private val input: ByteBuffer =
        ByteBuffer.allocateDirect(contract.width * contract.height * contract.channels).order(ByteOrder.nativeOrder())
    private val output = arrayOf(FloatArray(contract.labels.size))

    /** The probabilities of [picture], gray or colour, the right way up, in the order of the labels. */
    fun probabilities(picture: Picture): FloatArray {
        val ready = preprocess(coloured(picture, contract.channels), contract.steps)
        if (ready.width != contract.width || ready.height != contract.height) {
            throw PictureError("The manifest's steps give ${ready.width} x ${ready.height} pixels, which is not what the model takes.")
        }
        input.rewind()
        input.put(ready.data)
        input.rewind()
        interpreter.run(input, output)
        return output[0].copyOf()
    }

    override fun close() = interpreter.close()

    private fun mapped(context: Context, name: String): MappedByteBuffer =
        context.assets.openFd(name).use { file ->
            FileInputStream(file.fileDescriptor).use {
                it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
            }
        }
}
