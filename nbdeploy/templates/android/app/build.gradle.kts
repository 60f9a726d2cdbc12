import groovy.json.JsonSlurper
import javax.inject.Inject

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

// This project lies in a bundle, as app/android. Model, manifest, labels and samples are taken from there at each build;
// another bundle is named with -Pbundle=FOLDER.
val bundleFolder: File = (findProperty("bundle") as String?)?.let(::File) ?: rootDir.parentFile.parentFile
require(File(bundleFolder, "manifest.json").isFile) {
    "There is no manifest.json in $bundleFolder. Leave this project in its bundle as app/android, or name one: -Pbundle=FOLDER."
}

@Suppress("UNCHECKED_CAST")
val bundleManifest = JsonSlurper().parse(File(bundleFolder, "manifest.json")) as Map<String, Any>

/** Copies files of the bundle to where the app's assets are made. */
abstract class BundleAssets @Inject constructor(private val files: FileSystemOperations) : DefaultTask() {
    @get:InputFiles
    abstract val parts: ConfigurableFileCollection

    @get:OutputDirectory
    abstract val assets: DirectoryProperty

    @TaskAction
    fun copy() {
        files.sync {
            from(parts)
            into(assets)
        }
    }
}

android {
    namespace = "nbdeploy.camera"
    compileSdk = 36

    defaultConfig {
        applicationId = "nbdeploy.camera"
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = bundleManifest["version"] as String
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
        resValue("string", "app_name", "\"" + (bundleManifest["name"] as String).replace("\\", "\\\\").replace("\"", "\\\"") + "\"")
    }

    buildFeatures {
        resValues = true
    }

    buildTypes {
        release {
            isMinifyEnabled = false
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    androidResources {
        noCompress += "tflite" // the model is mapped into memory from where it lies
    }
}

kotlin {
    compilerOptions {
        jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_17
    }
}

androidComponents {
    onVariants { variant ->
        val name = variant.name.replaceFirstChar { it.uppercase() }
        val model = tasks.register<BundleAssets>("bundle${name}Model") {
            parts.from(listOf(bundleManifest["model"] as String, "manifest.json", "labels.txt").map { File(bundleFolder, it) })
        }
        variant.sources.assets?.addGeneratedSourceDirectory(model, BundleAssets::assets)
        variant.androidTest?.let { test ->
            val samples = tasks.register<BundleAssets>("bundle${name}Samples") {
                parts.from(File(bundleFolder, "samples"))
            }
            test.sources.assets?.addGeneratedSourceDirectory(samples, BundleAssets::assets)
        }
    }
}

dependencies {
    implementation(libs.activity)
    implementation(libs.appcompat)
    implementation(libs.camera.camera2)
    implementation(libs.camera.lifecycle)
    implementation(libs.camera.view)
    implementation(libs.exifinterface)
    implementation(libs.litert)
    implementation(libs.material)
    androidTestImplementation(libs.test.runner)
    androidTestImplementation(libs.test.junit)
}
