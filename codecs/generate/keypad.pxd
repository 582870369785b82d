"""The two frequencies of each digit (ITU-T Q.23), by its code in RFC 4733: 0 to 9, then *, #, A to D."""

cdef extern from *:
    """
    static const double keypad_low_hz[16] = {
        941, 697, 697, 697, 770, 770, 770, 852, 852, 852, 941, 941, 697, 770, 852, 941
    };
    static const double keypad_high_hz[16] = {
        1336, 1209, 1336, 1477, 1209, 1336, 1477, 1209, 1336, 1477, 1209, 1477, 1633, 1633, 1633, 1633
    };
    """
    const double keypad_low_hz[16]
    const double keypad_high_hz[16]
