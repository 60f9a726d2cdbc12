// Classify pictures with the model of this bundle, by onnxruntime.
//
//     classify BUNDLE photo.jpg ...            a line a picture
//     classify --json BUNDLE photo.jpg ...     a JSON list
//
// Everything about the model (labels, size, how a picture is resized) is read from BUNDLE/manifest.json.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>
#include <onnxruntime_cxx_api.h>

#include "decode.hpp"
#include "preprocess.hpp"

using nlohmann::json;

class Classifier {
   public:
    explicit Classifier(const std::filesystem::path& bundle) : environment_(ORT_LOGGING_LEVEL_WARNING, "classify") {
        std::ifstream file(bundle / "manifest.json");
        if (!file) throw std::runtime_error((bundle / "manifest.json").string() + " cannot be read");
        const json manifest = json::parse(file);
        const json& signature = manifest.at("signature");
        labels_ = signature.at("labels").get<std::vector<std::string>>();
        shape_ = signature.at("input").at("shape").get<std::vector<std::int64_t>>();
        channels_ = signature.at("input").at("channels");
        const json& host = signature.at("host");
        exif_ = host.at("exif");
        if (const json span = host.value("ranges", json::object()).value("integers", json()); !span.is_null())
            range_ = nbdeploy::Range{span.at(0), span.at(1)};
        for (const json& step : host.at("steps"))
            steps_.push_back({step.at("op"), step.at("width"), step.at("height"), step.at("resample"), step.at("pad")});
        environment_.DisableTelemetryEvents();
        const auto model = bundle / manifest.at("model").get<std::string>();
        session_ = Ort::Session(environment_, model.c_str(), Ort::SessionOptions{});
        Ort::AllocatorWithDefaultOptions allocator;
        input_ = session_.GetInputNameAllocated(0, allocator).get();
        output_ = session_.GetOutputNameAllocated(0, allocator).get();
    }

    const std::vector<std::string>& labels() const { return labels_; }

    nbdeploy::Picture pixels(const std::string& path) const {
        return nbdeploy::prepare(nbdeploy::decode(path, channels_, exif_, range_), steps_);
    }

    std::vector<float> probabilities(nbdeploy::Picture& pixels) {
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        const auto input = Ort::Value::CreateTensor<std::uint8_t>(memory, pixels.bytes.data(), pixels.bytes.size(),
                                                                  shape_.data(), shape_.size());
        const char* from[] = {input_.c_str()};
        const char* to[] = {output_.c_str()};
        const auto answer = session_.Run(Ort::RunOptions{}, from, &input, 1, to, 1);
        const float* first = answer[0].GetTensorData<float>();
        return {first, first + labels_.size()};
    }

   private:
    Ort::Env environment_;
    Ort::Session session_{nullptr};
    std::string input_, output_;
    std::vector<std::string> labels_;
    std::vector<std::int64_t> shape_;
    std::vector<nbdeploy::Step> steps_;
    int channels_ = 3;
    bool exif_ = false;
    std::optional<nbdeploy::Range> range_;
};

static json answer(Classifier& classifier, const std::string& file) {
    json row = {{"file", file}};
    try {
        auto pixels = classifier.pixels(file);
        const auto start = std::chrono::steady_clock::now();
        const auto values = classifier.probabilities(pixels);
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        const auto best = std::max_element(values.begin(), values.end()) - values.begin();
        row["label"] = classifier.labels()[std::size_t(best)];
        for (std::size_t i = 0; i < values.size(); ++i) row["probabilities"][classifier.labels()[i]] = values[i];
        row["inference_ms"] = took.count();
    } catch (const std::exception& error) {  // one bad file of many stops nothing
        row["error"] = error.what();
    }
    return row;
}

int main(int count, char** words) {
    std::vector<std::string> given(words + 1, words + count);
    const bool as_json = !given.empty() && given[0] == "--json";
    if (as_json) given.erase(given.begin());
    if (given.size() < 2) {
        std::cerr << "usage: classify [--json] BUNDLE FILE...\n";
        return 2;
    }
#ifdef _WIN32
    _putenv_s("ORT_DISABLE_TELEMETRY", "1");
#else
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
#endif
    try {
        Classifier classifier(std::filesystem::u8path(given[0]));
        json rows = json::array();
        bool failed = false;
        for (std::size_t i = 1; i < given.size(); ++i) {
            const json row = answer(classifier, given[i]);
            failed = failed || row.contains("error");
            if (as_json) {
                rows.push_back(row);
                continue;
            }
            std::cout << given[i] << ": ";
            if (row.contains("error")) {
                std::cout << row["error"].get<std::string>() << "\n";
            } else {
                const std::string label = row["label"];
                std::cout << label << "  " << std::round(1000 * row["probabilities"][label].get<double>()) / 10 << " %\n";
            }
        }
        if (as_json) std::cout << rows.dump(-1, ' ', true) << "\n";
        return failed ? 1 : 0;
    } catch (const std::exception& error) {
        std::cerr << "The model cannot be loaded: " << error.what() << "\n";
        return 1;
    }
}
