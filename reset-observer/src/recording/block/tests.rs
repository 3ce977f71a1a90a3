use super::*;

fn read_whole(bytes: &[u8]) -> Result<Vec<u8>> {
    let head = head(bytes[..HEAD_BYTES].try_into().unwrap())?;
    let mut entries = vec![9; 3];
    read(head, &bytes[HEAD_BYTES..], &mut entries)?;
    Ok(entries)
}

#[test]
fn a_block_reads_back_and_is_smaller() {
    let entries = b"keepalive race, ".repeat(100);
    let block = write(&entries).unwrap();
    assert!(block.len() < entries.len() / 10);
    assert_eq!(read_whole(&block).unwrap(), entries);
}

#[test]
fn a_block_with_any_byte_changed_is_refused() {
    let block = write(b"not as it was written").unwrap();
    for at in 0..block.len() {
        let mut changed = block.clone();
        changed[at] ^= 0x10;
        assert!(read_whole(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn a_block_that_promises_more_than_any_holds_is_refused_before_room_is_made() {
    let mut block = write(b"small").unwrap();
    block[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let refused = head(block[..HEAD_BYTES].try_into().unwrap()).unwrap_err();
    assert!(refused.to_string().contains("longer than any is"), "{refused:#}");
    assert!(write(&vec![0; MAX_BYTES + 1]).is_err());
}
