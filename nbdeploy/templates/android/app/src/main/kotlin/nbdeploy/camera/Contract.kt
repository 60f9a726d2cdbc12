package nbdeploy.camera

import org.json.JSONArray
import org.json.JSONObject

/**
 * What the bundle's manifest.json says about the model: what is done to a picture before it, what it takes, its labels in
 * the order of its answers. Everything the app knows about the model comes from here.
 */
class Contract(
    val name: String,
    val version: String,
    val model: String,
    val width: Int,
    val height: Int,
    val channels: Int,
    val exif: Boolean,
    /** The values that become 0 and 255 in pictures of 16 bits; none where they are clipped. */
    val low: Double?,
    val high: Double?,
    val steps: List<Step>,
    val labels: List<String>
) {
    companion object {
        /** Read a manifest. Throws JSONException where something is missing. */
        fun read(text: String): Contract {
            val manifest = JSONObject(text)
            val signature = manifest.getJSONObject("signature")
            val input = signature.getJSONObject("input")
            val host = signature.getJSONObject("host")
            val range = host.optJSONObject("ranges")?.optJSONArray("integers")
            return Contract(
                name = manifest.getString("name"),
                version = manifest.getString("version"),
                model = manifest.getString("model"),
                width = input.getInt("width"),
                height = input.getInt("height"),
                channels = input.getInt("channels"),
                exif = host.getBoolean("exif"),
                low = range?.getDouble(0),
                high = range?.getDouble(1),
                steps = host.getJSONArray("steps").objects().map {
                    Step(
                        op = it.getString("op"),
                        width = it.getInt("width"),
                        height = it.getInt("height"),
                        resample = it.getString("resample"),
                        pad = it.getString("pad")
                    )
                },
                labels = signature.getJSONArray("labels").let { all -> List(all.length()) { all.getString(it) } }
            )
        }
    }
}

/** The objects of an array. */
fun JSONArray.objects(): List<JSONObject> = List(length()) { getJSONObject(it) }
