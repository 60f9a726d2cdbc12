package nbdeploy.camera

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import com.google.android.material.progressindicator.LinearProgressIndicator
import java.text.NumberFormat

/** The likeliest labels with their bars, in `place`, and a line of words below, in `status`. */
class Answers(private val place: ViewGroup, private val status: TextView) {
    private val percent = NumberFormat.getPercentInstance().apply {
        minimumFractionDigits = 1
        maximumFractionDigits = 1
    }

    /** Show [found], the likeliest first, and [words] below; [aloud] where a screen reader should say that they changed. */
    fun show(found: List<Answer>, words: String, aloud: Boolean) {
        while (place.childCount > found.size) place.removeViewAt(place.childCount - 1)
        while (place.childCount < found.size) {
            LayoutInflater.from(place.context).inflate(R.layout.answer, place, true)
        }
        found.forEachIndexed { index, answer ->
            val row = place.getChildAt(index)
            val share = percent.format(answer.probability)
            row.findViewById<TextView>(R.id.label).text = answer.label
            row.findViewById<TextView>(R.id.share).text = share
            row.findViewById<LinearProgressIndicator>(R.id.bar).progress = Math.round(answer.probability * 1000)
            row.contentDescription = place.context.getString(R.string.answer, answer.label, share)
        }
        tell(words, aloud)
    }

    /** Say [words], with no answers above. */
    fun say(words: String) {
        place.removeAllViews()
        tell(words, aloud = true)
    }

    private fun tell(words: String, aloud: Boolean) {
        val region = if (aloud) View.ACCESSIBILITY_LIVE_REGION_POLITE else View.ACCESSIBILITY_LIVE_REGION_NONE
        status.accessibilityLiveRegion = region
        status.text = words
    }
}
