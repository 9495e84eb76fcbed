//! A gzip writer that stores: enough for a body that a reader has to unpack (RFC 1952).

/// Deflate, no name, no time, an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The bytes as one gzip member.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    for block in bytes.chunks(usize::from(u16::MAX)) {
        stored(&mut out, block, false);
    }
    stored(&mut out, &[], true);
    out.extend(crc32(bytes).to_le_bytes());
    // Modulo 2^32, as the format has it.
    #[allow(clippy::cast_possible_truncation, reason = "the format wants it")]
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

/// A block as it is, of at most 65,535 bytes.
fn stored(out: &mut Vec<u8>, block: &[u8], last: bool) {
    let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
    out.push(u8::from(last));
    out.extend(len.to_le_bytes());
    out.extend((!len).to_le_bytes());
    out.extend(block);
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    /// Compared once with what `gzip -d` makes of it.
    #[test]
    fn a_member_is_header_stored_blocks_checksum_and_length() {
        let expected = "1f8b08000000000000ff\
                        000200fdff6869\
                        010000ffff\
                        ac2a93d8\
                        02000000";
        assert_eq!(hex::encode(gzip(b"hi")), expected);
    }
}
