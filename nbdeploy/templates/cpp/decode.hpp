// A JPEG or PNG file to a Picture, by libjpeg and libpng, as Pillow opens it: alpha is dropped, palettes are looked up.
#pragma once

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include <jpeglib.h>
#include <png.h>

#include "preprocess.hpp"

namespace nbdeploy {

namespace detail {

// Refused before it is decoded: hundreds of millions of pixels fit in a file of some hundred kilobytes.
constexpr double kMostPixels = 178956970;

inline void check_size(double width, double height) {
    if (width * height > kMostPixels) throw std::runtime_error("the picture has more pixels than can be taken");
}

// The orientation (1 to 8) in a block of EXIF, which begins with II or MM; 1 where there is none.
inline int orientation(const std::uint8_t* data, std::size_t size) {
    if (size < 8 || (std::memcmp(data, "II", 2) != 0 && std::memcmp(data, "MM", 2) != 0)) return 1;
    const bool little = data[0] == 'I';
    const auto number = [&](std::size_t at, int bytes) {
        std::uint32_t value = 0;
        for (int i = 0; i < bytes && at + i < size; ++i)
            value |= std::uint32_t(data[at + i]) << 8 * (little ? i : bytes - 1 - i);
        return value;
    };
    const std::size_t first = number(4, 4);
    if (first + 2 > size) return 1;
    for (std::size_t at = first + 2, left = number(first, 2); left > 0 && at + 12 <= size; --left, at += 12)
        if (number(at, 2) == 0x0112) {
            const std::uint32_t value = number(at + 8, 2);
            return value >= 1 && value <= 8 ? int(value) : 1;
        }
    return 1;
}

// Turn as a viewer turns it that heeds the orientation.
inline Picture turned(const Picture& from, int orientation) {
    if (orientation == 1) return from;
    const bool lying = orientation >= 5;
    Picture to(lying ? from.height : from.width, lying ? from.width : from.height, from.channels);
    for (int y = 0; y < to.height; ++y)
        for (int x = 0; x < to.width; ++x) {
            int column = lying ? y : x, row = lying ? x : y;
            if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
                column = from.width - 1 - column;
            if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) row = from.height - 1 - row;
            std::copy_n(from.at(column, row), from.channels, to.at(x, y));
        }
    return to;
}

struct JpegTrouble {
    jpeg_error_mgr manager;
    std::jmp_buf out;
    char text[JMSG_LENGTH_MAX];
};

inline Picture jpeg(const std::vector<std::uint8_t>& data, bool exif) {
    jpeg_decompress_struct info;
    JpegTrouble trouble;
    Picture picture;
    volatile int turn = 1;  // longjmp may pass by
    info.err = jpeg_std_error(&trouble.manager);
    trouble.manager.error_exit = [](j_common_ptr common) {
        auto* own = reinterpret_cast<JpegTrouble*>(common->err);
        common->err->format_message(common, own->text);
        std::longjmp(own->out, 1);
    };
    trouble.manager.output_message = [](j_common_ptr) {};
    if (setjmp(trouble.out)) {
        jpeg_destroy_decompress(&info);
        throw std::runtime_error(trouble.text);
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, data.data(), static_cast<unsigned long>(data.size()));
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info, TRUE);
    if (info.num_components == 4) {
        jpeg_destroy_decompress(&info);
        throw std::runtime_error("a JPEG in printer's colours (CMYK); save it as RGB");
    }
    for (auto* mark = info.marker_list; exif && mark != nullptr; mark = mark->next)
        if (mark->data_length > 6 && std::memcmp(mark->data, "Exif\0\0", 6) == 0)
            turn = orientation(mark->data + 6, mark->data_length - 6);
    info.out_color_space = JCS_RGB;
    check_size(info.image_width, info.image_height);
    jpeg_start_decompress(&info);
    picture = Picture(int(info.output_width), int(info.output_height), 3);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = picture.at(0, int(info.output_scanline));
        jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return turned(picture, turn);
}

struct PngSource {
    const std::vector<std::uint8_t>* data;
    std::size_t at;
};

inline Picture png(const std::vector<std::uint8_t>& data, bool exif, const std::optional<Range>& range) {
    std::string text = "broken PNG";
    png_structp file = png_create_read_struct(
        PNG_LIBPNG_VER_STRING, &text,
        [](png_structp own, png_const_charp message) {
            *static_cast<std::string*>(png_get_error_ptr(own)) = message;
            png_longjmp(own, 1);
        },
        [](png_structp, png_const_charp) {});
    png_infop info = png_create_info_struct(file);
    PngSource source{&data, 0};
    Picture picture;
    std::vector<png_bytep> rows;
    std::vector<std::uint8_t> deep;  // gray of 16 bits, the upper byte first
    volatile int turn = 1;  // longjmp may pass by
    if (setjmp(png_jmpbuf(file))) {
        png_destroy_read_struct(&file, &info, nullptr);
        throw std::runtime_error(text);
    }
    png_set_read_fn(file, &source, [](png_structp own, png_bytep to, png_size_t count) {
        auto* from = static_cast<PngSource*>(png_get_io_ptr(own));
        if (from->at + count > from->data->size()) png_error(own, "the file ends too early");
        std::memcpy(to, from->data->data() + from->at, count);
        from->at += count;
    });
    png_read_info(file, info);
    const auto width = png_get_image_width(file, info), height = png_get_image_height(file, info);
    // Pillow keeps all 16 bits of gray alone; of colour and of gray with alpha it takes the upper eight.
    const bool whole = png_get_color_type(file, info) == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(file, info) == 16;
    if (double(width) * height > kMostPixels) png_error(file, "the picture has more pixels than can be taken");
    if (!whole) {
        png_set_strip_16(file);
        png_set_expand(file);
        png_set_gray_to_rgb(file);
        png_set_strip_alpha(file);
    }
    png_set_interlace_handling(file);
    png_read_update_info(file, info);
    picture = Picture(int(width), int(height), 3);
    if (whole) deep.resize(std::size_t(2) * width * height);
    for (int y = 0; y < picture.height; ++y)
        rows.push_back(whole ? deep.data() + std::size_t(2) * width * std::size_t(y) : picture.at(0, y));
    png_read_image(file, rows.data());
    png_read_end(file, info);
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 size = 0;
    png_bytep block = nullptr;
    if (exif && png_get_eXIf_1(file, info, &size, &block)) turn = orientation(block, size);
#else
    (void)exif;
#endif
    png_destroy_read_struct(&file, &info, nullptr);
    for (std::size_t i = 0; i < deep.size(); i += 2)
        std::fill_n(picture.bytes.begin() + std::ptrdiff_t(i / 2 * 3), 3, eight_bits(deep[i] << 8 | deep[i + 1], range));
    return turned(picture, turn);
}

inline Picture to_gray(const Picture& from) {
    Picture to(from.width, from.height, 1);
    for (std::size_t i = 0; i < to.bytes.size(); ++i) {
        const std::uint8_t* pixel = from.bytes.data() + 3 * i;
        to.bytes[i] = std::uint8_t((pixel[0] * 19595u + pixel[1] * 38470u + pixel[2] * 7471u + 0x8000u) >> 16);
    }
    return to;
}

}  // namespace detail

// `channels` is 3 for RGB, 1 for gray; `exif`: turn it as its EXIF orientation says; `range`: what gray of 16 bits is scaled
// from. Throws std::runtime_error.
inline Picture decode(const std::string& path, int channels, bool exif, const std::optional<Range>& range = {}) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("there is no such file");
    const std::vector<std::uint8_t> data{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const bool is_jpeg = data.size() > 2 && data[0] == 0xFF && data[1] == 0xD8;
    const bool is_png = data.size() > 8 && std::memcmp(data.data(), "\x89PNG\r\n\x1a\n", 8) == 0;
    if (!is_jpeg && !is_png) throw std::runtime_error("neither a JPEG nor a PNG file");
    const Picture picture = is_jpeg ? detail::jpeg(data, exif) : detail::png(data, exif, range);
    return channels == 1 ? detail::to_gray(picture) : picture;
}

}  // namespace nbdeploy
