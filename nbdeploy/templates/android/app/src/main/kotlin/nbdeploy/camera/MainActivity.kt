package nbdeploy.camera

import android.Manifest
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.net.Uri
import android.os.Bundle
import android.view.View
import android.widget.ImageView
import android.widget.TextView
import androidx.activity.enableEdgeToEdge
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts
import androidx.appcompat.app.AppCompatActivity
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.core.Preview
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.camera.view.PreviewView
import androidx.core.content.ContextCompat
import androidx.core.view.ViewCompat
import androidx.core.view.WindowInsetsCompat
import java.nio.ByteBuffer
import java.util.concurrent.Executors

/** One screen: what the camera sees, or a chosen picture, and the likeliest labels of it. */
class MainActivity : AppCompatActivity() {
    private val worker = Executors.newSingleThreadExecutor() // the model is touched on this thread only
    private lateinit var preview: PreviewView
    private lateinit var still: ImageView
    private lateinit var answers: Answers
    private lateinit var freeze: TextView
    private lateinit var turn: View
    private var classifier: Classifier? = null // of the worker
    private var cameras: ProcessCameraProvider? = null
    private var facing = CameraSelector.DEFAULT_BACK_CAMERA

    @Volatile
    private var live = true

    private val picker = registerForActivityResult(ActivityResultContracts.PickVisualMedia()) { if (it != null) show(it) }
    private val permission = registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
        if (granted) startCamera() else withoutCamera(R.string.denied)
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        setContentView(R.layout.main)
        keepClearOfBars(findViewById(R.id.root))
        preview = findViewById(R.id.preview)
        still = findViewById(R.id.still)
        answers = Answers(findViewById(R.id.answers), findViewById(R.id.status))
        freeze = findViewById(R.id.freeze)
        turn = findViewById(R.id.turn)
        freeze.setOnClickListener { if (live) hold() else goLive() }
        findViewById<View>(R.id.pick).setOnClickListener {
            picker.launch(PickVisualMediaRequest(ActivityResultContracts.PickVisualMedia.ImageOnly))
        }
        turn.setOnClickListener {
            val back = facing == CameraSelector.DEFAULT_BACK_CAMERA
            facing = if (back) CameraSelector.DEFAULT_FRONT_CAMERA else CameraSelector.DEFAULT_BACK_CAMERA
            goLive()
        }
        worker.execute { work { classifier = Classifier(applicationContext) } }
        when {
            !packageManager.hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY) -> withoutCamera(R.string.no_camera)
            allowed() -> startCamera()
            else -> permission.launch(Manifest.permission.CAMERA)
        }
    }

    override fun onDestroy() {
        live = false
        worker.execute { classifier?.close() }
        worker.shutdown()
        super.onDestroy()
    }

    private fun allowed() =
        ContextCompat.checkSelfPermission(this, Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    private fun withoutCamera(why: Int) {
        live = false
        freeze.visibility = View.GONE
        turn.visibility = View.GONE
        answers.say(getString(why))
    }

    private fun startCamera() {
        val found = ProcessCameraProvider.getInstance(this)
        found.addListener({ work { choose(found.get()) } }, ContextCompat.getMainExecutor(this))
    }

    private fun choose(provider: ProcessCameraProvider) {
        val both = listOf(CameraSelector.DEFAULT_BACK_CAMERA, CameraSelector.DEFAULT_FRONT_CAMERA)
        val there = both.filter { provider.hasCamera(it) }
        turn.visibility = if (there.size > 1) View.VISIBLE else View.GONE
        cameras = provider
        if (there.isEmpty()) {
            withoutCamera(R.string.no_camera)
        } else {
            facing = there.first()
            bind(provider)
        }
    }

    private fun bind(provider: ProcessCameraProvider) {
        val seen = Preview.Builder().build().apply { setSurfaceProvider(preview.surfaceProvider) }
        val analysis = ImageAnalysis.Builder()
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
            .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
            .build()
        analysis.setAnalyzer(worker) { frame -> frame.use { if (live) work { classify(pictureOf(frame), ofCamera = true) } } }
        provider.unbindAll()
        provider.bindToLifecycle(this, facing, seen, analysis)
    }

    private fun hold() {
        live = false
        still.setImageBitmap(preview.bitmap)
        still.visibility = View.VISIBLE
        freeze.setText(R.string.live)
    }

    private fun goLive() {
        still.visibility = View.GONE
        freeze.setText(R.string.freeze)
        live = true
        cameras?.let { bind(it) }
    }

    /** Classify the picture that the person chose, and show it as the model gets it: the right way up. */
    private fun show(uri: Uri) {
        live = false
        freeze.setText(R.string.live)
        worker.execute {
            work {
                val bytes = contentResolver.openInputStream(uri)?.use { it.readBytes() }
                    ?: throw PictureError(getString(R.string.unreadable))
                val contract = classifier?.contract ?: return@work
                val picture = decode(bytes, contract)
                val bitmap = bitmapOf(picture)
                runOnUiThread {
                    still.setImageBitmap(bitmap)
                    still.visibility = View.VISIBLE
                }
                classify(picture, ofCamera = false)
            }
        }
    }

    /** On the worker: the answers of one picture, shown where they are still wanted. */
    private fun classify(picture: Picture, ofCamera: Boolean) {
        val model = classifier ?: return
        val start = System.nanoTime()
        val probabilities = model.probabilities(picture)
        val took = (System.nanoTime() - start) / 1_000_000
        val contract = model.contract
        val found = best(contract.labels, probabilities, most = 5)
        runOnUiThread {
            val words = getString(R.string.took, contract.name, contract.version, took)
            if (ofCamera == live) answers.show(found, words, aloud = !ofCamera)
        }
    }

    /** Run `task`; what goes wrong is said on the screen. */
    private fun work(task: () -> Unit) {
        try {
            task()
        } catch (error: Exception) { // of the picture, the manifest, the camera or LiteRT: each has its own kinds
            runOnUiThread { answers.say(error.message ?: error.toString()) }
        }
    }

    private fun keepClearOfBars(root: View) = ViewCompat.setOnApplyWindowInsetsListener(root) { view, insets ->
        val bars = insets.getInsets(WindowInsetsCompat.Type.systemBars() or WindowInsetsCompat.Type.displayCutout())
        view.setPadding(bars.left, bars.top, bars.right, bars.bottom)
        insets
    }
}

private fun bitmapOf(picture: Picture): Bitmap {
    val rgb = if (picture.channels == 3) picture.data else ByteArray(picture.data.size * 3) { picture.data[it / 3] }
    val pixels = ByteArray(picture.width * picture.height * 4)
    for (i in 0 until picture.width * picture.height) {
        for (channel in 0 until 3) pixels[4 * i + channel] = rgb[3 * i + channel]
        pixels[4 * i + 3] = -1
    }
    val bitmap = Bitmap.createBitmap(picture.width, picture.height, Bitmap.Config.ARGB_8888)
    bitmap.copyPixelsFromBuffer(ByteBuffer.wrap(pixels))
    return bitmap
}
