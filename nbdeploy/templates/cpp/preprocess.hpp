// From a decoded picture to what the model takes: the steps under signature.host.steps of manifest.json, in order, as
// app/python/predict.py does them. Needs only the standard library.
#pragma once

#include <cmath>
#include <optional>

#include "resize.hpp"

namespace nbdeploy {

struct Step {
    std::string op;  // crop_resize, squish_resize, pad_resize, center_crop or exact_size
    int width = 0;
    int height = 0;
    std::string resample;
    std::string pad;  // zeros, border or reflection: what lies outside the picture
};

// The two values that become 0 and 255 in gray of 16 bits: signature.host.ranges.integers of manifest.json.
struct Range {
    double low;
    double high;
};

// A value of more than 8 bits as one of 8; without a range what is over 255 is cut off, as Pillow does it.
inline std::uint8_t eight_bits(int value, const std::optional<Range>& range) {
    if (!range) return std::uint8_t(std::clamp(value, 0, 255));
    return std::uint8_t(std::clamp(std::nearbyint((value - range->low) * (255 / (range->high - range->low))), 0.0, 255.0));
}

namespace detail {

// Where `place` lies in a row of `size` pixels when it lies outside; -1 for black.
inline int inside(int place, int size, const std::string& pad) {
    if (place >= 0 && place < size) return place;
    if (pad == "zeros") return -1;
    if (pad == "border" || size == 1) return std::clamp(place, 0, size - 1);
    if (pad != "reflection") throw std::invalid_argument("unknown padding: " + pad);
    const int period = 2 * (size - 1);
    const int folded = ((place % period) + period) % period;
    return folded < size ? folded : period - folded;
}

inline Picture region(const Picture& from, int left, int top, int width, int height, const std::string& pad) {
    Picture to(width, height, from.channels);  // black
    for (int y = 0; y < height; ++y) {
        const int row = inside(top + y, from.height, pad);
        for (int x = 0; x < width; ++x) {
            const int column = inside(left + x, from.width, pad);
            if (row >= 0 && column >= 0) std::copy_n(from.at(column, row), from.channels, to.at(x, y));
        }
    }
    return to;
}

// The centred region that has the wanted shape, `scale` times as large as wanted, resized.
inline Picture fit(const Picture& from, const Step& step, double scale) {
    const int width = int(scale * step.width), height = int(scale * step.height);
    const int left = int(0.5 * (from.width - width)), top = int(0.5 * (from.height - height));
    return resize(region(from, left, top, width, height, step.pad), step.width, step.height, step.resample);
}

inline int half_down(int value) { return value >= 0 ? value / 2 : -((1 - value) / 2); }

}  // namespace detail

// Throws std::invalid_argument.
inline Picture apply(const Picture& from, const Step& step) {
    const double wide = double(from.width) / step.width, high = double(from.height) / step.height;
    if (step.op == "crop_resize") return detail::fit(from, step, std::min(wide, high));
    if (step.op == "pad_resize") return detail::fit(from, step, std::max(wide, high));
    if (step.op == "squish_resize") return resize(from, step.width, step.height, step.resample);
    if (step.op == "center_crop") {
        const int left = detail::half_down(from.width - step.width), top = detail::half_down(from.height - step.height);
        return detail::region(from, left, top, step.width, step.height, step.pad);
    }
    if (step.op != "exact_size") throw std::invalid_argument("unknown step: " + step.op);
    if (from.width != step.width || from.height != step.height)
        throw std::invalid_argument("the picture is " + std::to_string(from.width) + " x " + std::to_string(from.height) +
                                    "; this model was trained without a resize and takes only " +
                                    std::to_string(step.width) + " x " + std::to_string(step.height));
    return from;
}

inline Picture prepare(Picture picture, const std::vector<Step>& steps) {
    for (const Step& step : steps) picture = apply(picture, step);
    return picture;
}

}  // namespace nbdeploy
