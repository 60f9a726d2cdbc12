// Reads "WIDTH HEIGHT CHANNELS op width height resample pad" a line, then the picture's bytes; writes the prepared bytes.
#include <iostream>

#include "preprocess.hpp"

int main() {
    nbdeploy::Step step;
    int width, height, channels;
    while (std::cin >> width >> height >> channels >> step.op >> step.width >> step.height >> step.resample >> step.pad) {
        std::cin.get();
        nbdeploy::Picture picture(width, height, channels);
        std::cin.read(reinterpret_cast<char*>(picture.bytes.data()), std::streamsize(picture.bytes.size()));
        const auto out = nbdeploy::apply(picture, step);
        std::cout.write(reinterpret_cast<const char*>(out.bytes.data()), std::streamsize(out.bytes.size()));
    }
}
