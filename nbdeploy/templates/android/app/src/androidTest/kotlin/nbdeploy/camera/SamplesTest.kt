package nbdeploy.camera

import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import kotlin.math.abs
import org.json.JSONObject
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** The app on a device, fed the bundle's samples, against the answers that stand in samples/expected.json. */
@RunWith(AndroidJUnit4::class)
class SamplesTest {
    // JPEG is decoded by Android, whose pixels may differ from those of nbdeploy's machine by a level or two.
    private val decodersApart = 0.03

    @Test
    fun everySampleGetsTheAnswerOfTheBundle() {
        val instrumentation = InstrumentationRegistry.getInstrumentation()
        val samples = instrumentation.context.assets
        fun bytes(name: String) = samples.open(name).use { it.readBytes() }
        val expected = JSONObject(bytes("expected.json").toString(Charsets.UTF_8))
        val wrong = ArrayList<String>()
        Classifier(instrumentation.targetContext).use { classifier ->
            for (sample in expected.getJSONArray("samples").objects()) {
                val file = sample.getString("file")
                val content = bytes(file)
                val answers = classifier.probabilities(decode(content, classifier.contract))
                val wanted = sample.getJSONObject("deployed")
                val apart = classifier.contract.labels.indices.maxOf {
                    abs(answers[it] - wanted.getDouble(classifier.contract.labels[it]))
                }
                val limit = expected.getDouble("tolerance") + if (isPng(content)) 0.0 else decodersApart
                if (apart > limit) wrong += "$file: $apart from the expected probabilities, more than $limit"
            }
        }
        assertTrue(wrong.joinToString("\n"), wrong.isEmpty())
    }
}
