// Sine and cosine, which Swift has only in the platform's own library.

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

func cosine(_ x: Double) -> Double { cos(x) }

/// sin(pi x) / (pi x).
func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
