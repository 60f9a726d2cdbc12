// Antialiased resizing of 8-bit pictures, within one level of Pillow's Image.resize (equal to version 13's). Needs only the standard library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace nbdeploy {

// Rows of `width` pixels of `channels` bytes each, without gaps.
struct Picture {
    int width = 0;
    int height = 0;
    int channels = 3;
    std::vector<std::uint8_t> bytes;

    Picture() = default;
    Picture(int wide, int high, int deep)
        : width(wide), height(high), channels(deep), bytes(std::size_t(wide) * std::size_t(high) * std::size_t(deep)) {}

    std::uint8_t* at(int x, int y) { return bytes.data() + (std::size_t(y) * width + x) * channels; }
    const std::uint8_t* at(int x, int y) const { return bytes.data() + (std::size_t(y) * width + x) * channels; }
};

namespace detail {

constexpr double kPi = 3.14159265358979323846;
// Weights are whole numbers of 2^-22: eight bits of picture, two to overshoot, and the rest of 32.
constexpr int kFraction = 32 - 8 - 2;

struct Filter {
    double reach;  // in input pixels, where nothing is shrunk
    double (*weight)(double);
};

inline double sinc(double x) { return x == 0 ? 1.0 : std::sin(kPi * x) / (kPi * x); }

inline double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

inline double triangle(double x) {
    x = std::fabs(x);
    return x < 1 ? 1 - x : 0.0;
}

inline double hamming(double x) {
    x = std::fabs(x);
    return x >= 1 ? 0.0 : sinc(x) * (0.54 + 0.46 * std::cos(kPi * x));
}

inline double cubic(double x) {
    constexpr double a = -0.5;
    x = std::fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

inline double lanczos(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0.0; }

inline Filter filter(const std::string& name) {
    if (name == "box") return {0.5, box};
    if (name == "bilinear") return {1.0, triangle};
    if (name == "hamming") return {1.0, hamming};
    if (name == "bicubic") return {2.0, cubic};
    if (name == "lanczos") return {3.0, lanczos};
    throw std::invalid_argument("unknown way to resample: " + name);
}

// For one output position: the first input position, and the weights of it and those that follow.
struct Taps {
    int first;
    std::vector<std::int32_t> weights;
};

inline std::vector<Taps> taps(int from, int to, const Filter& how) {
    const double scale = double(from) / to;
    const double stretch = std::max(scale, 1.0);  // shrinking averages over more input: that is the antialiasing
    const double reach = how.reach * stretch;
    std::vector<Taps> all;
    all.reserve(std::size_t(to));
    for (int position = 0; position < to; ++position) {
        const double centre = (position + 0.5) * scale;
        const int first = std::max(0, int(centre - reach + 0.5));
        const int end = std::min(from, int(centre + reach + 0.5));
        std::vector<double> exact;
        double sum = 0;
        for (int x = first; x < end; ++x) {
            exact.push_back(how.weight((x - centre + 0.5) * (1.0 / stretch)));
            sum += exact.back();
        }
        Taps one{first, {}};
        for (double weight : exact) {
            const double share = (sum != 0 ? weight / sum : weight) * (1 << kFraction);
            one.weights.push_back(std::int32_t(share < 0 ? share - 0.5 : share + 0.5));
        }
        all.push_back(std::move(one));
    }
    return all;
}

// Resize along x where `stride` is the distance in bytes of two neighbours, along y where it is that of two rows.
inline std::uint8_t weigh(const std::uint8_t* from, std::ptrdiff_t stride, const std::vector<std::int32_t>& weights) {
    std::int64_t sum = std::int64_t(1) << (kFraction - 1);
    for (std::int32_t weight : weights) {
        sum += std::int64_t(*from) * weight;
        from += stride;
    }
    return std::uint8_t(std::clamp<std::int64_t>(sum >> kFraction, 0, 255));
}

inline Picture along_x(const Picture& from, int width, const Filter& how) {
    Picture to(width, from.height, from.channels);
    const auto all = taps(from.width, width, how);
    for (int y = 0; y < to.height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < to.channels; ++c)
                to.at(x, y)[c] = weigh(from.at(all[x].first, y) + c, from.channels, all[x].weights);
    return to;
}

inline Picture along_y(const Picture& from, int height, const Filter& how) {
    Picture to(from.width, height, from.channels);
    const auto all = taps(from.height, height, how);
    const std::ptrdiff_t row = std::ptrdiff_t(from.width) * from.channels;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < to.width; ++x)
            for (int c = 0; c < to.channels; ++c)
                to.at(x, y)[c] = weigh(from.at(x, all[y].first) + c, row, all[y].weights);
    return to;
}

// The input position of each output position, by steps that are added up as Pillow adds them.
inline std::vector<int> nearest(int from, int to) {
    const double step = double(from) / to;
    double place = step * 0.5;
    std::vector<int> all;
    for (int position = 0; position < to; ++position, place += step) all.push_back(std::min(int(place), from - 1));
    return all;
}

}  // namespace detail

// `how` is nearest, box, bilinear, hamming, bicubic or lanczos. Throws std::invalid_argument.
inline Picture resize(const Picture& from, int width, int height, const std::string& how) {
    if (width < 1 || height < 1 || from.width < 1 || from.height < 1) throw std::invalid_argument("an empty picture");
    if (width == from.width && height == from.height) return from;
    if (how == "nearest") {
        Picture to(width, height, from.channels);
        const auto xs = detail::nearest(from.width, width), ys = detail::nearest(from.height, height);
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x) std::copy_n(from.at(xs[x], ys[y]), from.channels, to.at(x, y));
        return to;
    }
    const auto filter = detail::filter(how);
    const auto across = [&](const Picture& one) { return width == one.width ? one : detail::along_x(one, width, filter); };
    const auto down = [&](const Picture& one) { return height == one.height ? one : detail::along_y(one, height, filter); };
    // Pillow 13 takes rows first where more than twice as many of them go as of columns; it shows in the last level.
    const int rows_lost = from.height - height, columns_lost = from.width - width;
    return rows_lost > 0 && rows_lost > 2 * columns_lost ? across(down(from)) : down(across(from));
}

}  // namespace nbdeploy
