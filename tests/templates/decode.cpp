// decode CHANNELS EXIF LOW HIGH FILE...: each file's "WIDTH HEIGHT CHANNELS" on a line, then its bytes; "0 0 0 why" where it
// is none. LOW "-": no range.
#include <iostream>

#include "decode.hpp"

int main(int count, char** words) {
    std::optional<nbdeploy::Range> range;
    if (*words[3] != '-') range = nbdeploy::Range{std::atof(words[3]), std::atof(words[4])};
    for (int i = 5; i < count; ++i) {
        try {
            const auto picture = nbdeploy::decode(words[i], std::atoi(words[1]), std::atoi(words[2]) != 0, range);
            std::cout << picture.width << ' ' << picture.height << ' ' << picture.channels << '\n';
            std::cout.write(reinterpret_cast<const char*>(picture.bytes.data()), std::streamsize(picture.bytes.size()));
        } catch (const std::exception& error) {
            std::cout << "0 0 0 " << error.what() << '\n';
        }
    }
}
