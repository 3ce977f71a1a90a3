//! Whole numbers and addresses as JSON writes them.

use std::net::{IpAddr, Ipv4Addr};

use super::value::{Value, by_serde};

/// As many digits as the longest number has.
const DIGITS: usize = "18446744073709551615".len();

/// All numbers of two digits, one after the other.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number: u8 = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// Appends a number. As many bytes as ever are needed go there at once, which takes less time than to copy as many as are.
fn digits(mut number: u64, line: &mut Vec<u8>) {
    let start = line.len();
    let end = start + 1 + number.checked_ilog10().unwrap_or_default() as usize;
    line.extend_from_slice(&[b'0'; DIGITS]);
    line.truncate(end);
    let mut at = end;
    while number >= 10 {
        at -= 2;
        line[at..at + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    if number > 0 {
        line[start] = b'0' + (number % 10) as u8;
    }
}

/// Implements [`Value`] for numbers without a sign.
macro_rules! numbers {
    ($($type:ty),+) => { $(
        impl Value for $type {
            fn write(&self, line: &mut Vec<u8>) {
                digits(u64::from(*self), line);
            }
        }
    )+ };
}

numbers!(u8, u16, u32, u64);

/// Every octet, with the point after it, and how long that is.
const OCTETS: [([u8; 4], usize); 256] = {
    let mut octets = [([b'.'; 4], 0); 256];
    let mut octet: u8 = 0;
    loop {
        let (hundreds, pair) = (octet / 100, PAIRS[(octet % 100) as usize]);
        octets[octet as usize] = match octet {
            0..10 => ([pair[1], b'.', b'.', b'.'], 2),
            10..100 => ([pair[0], pair[1], b'.', b'.'], 3),
            100.. => ([b'0' + hundreds, pair[0], pair[1], b'.'], 4),
        };
        if octet == u8::MAX {
            break;
        }
        octet += 1;
    }
    octets
};

impl Value for IpAddr {
    fn write(&self, line: &mut Vec<u8>) {
        match self {
            Self::V4(address) => dotted(*address, line),
            Self::V6(_) => by_serde(self, line),
        }
    }
}

fn dotted(address: Ipv4Addr, line: &mut Vec<u8>) {
    line.push(b'"');
    for octet in address.octets() {
        let (text, len) = OCTETS[usize::from(octet)];
        let end = line.len() + len;
        line.extend_from_slice(&text);
        line.truncate(end);
    }
    if let Some(last) = line.last_mut() {
        *last = b'"';
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &impl Value) -> String {
        let mut line = b"before ".to_vec();
        value.write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn numbers_of_every_length_are_written_as_the_standard_library_does() {
        for power in 0..20 {
            let power = 10_u64.pow(power);
            for number in [power - 1, power, power + 1, power.saturating_mul(7), u64::MAX] {
                assert_eq!(written(&number), format!("before {number}"));
            }
        }
    }

    #[test]
    fn every_octet_is_written_as_the_standard_library_does() {
        for octet in 0..=u8::MAX {
            let address = IpAddr::from([octet, 0, 255 - octet, octet]);
            assert_eq!(written(&address), format!("before \"{address}\""));
        }
    }

    proptest! {
        #[test]
        fn any_number_is_written_as_the_standard_library_does(number: u64) {
            prop_assert_eq!(written(&number), format!("before {number}"));
        }
    }
}
