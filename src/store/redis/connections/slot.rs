//! Which of a cluster's 16384 slots a key is in.

/// How many there are.
pub(super) const SLOTS: u16 = 16384;

/// The slot: the CRC of what stands between the first braces, or of the whole key.
pub(super) fn of(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    hashed.bytes().fold(0, crc16) % SLOTS
}

/// CRC-16/XMODEM, one byte on.
fn crc16(crc: u16, byte: u8) -> u16 {
    (0..8).fold(
        crc ^ (u16::from(byte) << 8),
        |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that `CLUSTER KEYSLOT` gives.
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!("123456789".bytes().fold(0, crc16), 0x31c3);
        for (key, slot) in [
            ("foo", 12182),
            ("{foo}.bar", 12182),
            ("gl:1:grant:{foo}", 12182),
            ("a{}b{foo}", of_whole("a{}b{foo}")),
            ("a{b", of_whole("a{b")),
        ] {
            assert_eq!(of(key), slot, "{key}");
        }
    }

    fn of_whole(key: &str) -> u16 {
        key.bytes().fold(0, crc16) % SLOTS
    }
}
