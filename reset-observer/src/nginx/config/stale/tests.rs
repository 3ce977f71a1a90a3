use super::{super::directive::ReadFile, *};

fn with_files(modified: [u64; 2]) -> Configuration {
    let file = |(name, seconds): (&str, u64)| ReadFile {
        path: Arc::from(Path::new(name)),
        modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
    };
    Configuration { files: ["a", "b"].into_iter().zip(modified).map(file).collect(), ..Configuration::default() }
}

#[test]
fn a_file_written_after_the_workers_started_is_not_loaded() {
    let loaded = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
    let found = stale(&with_files([50, 130]), loaded).unwrap();
    assert_eq!((&*found.file, found.by), (Path::new("b"), Duration::from_secs(30)));
    assert!(found.to_string().starts_with("b was written 30 s after nginx read its configuration"));
    assert_eq!(stale(&with_files([50, 100]), loaded), None);
    assert_eq!(stale(&with_files([50, 101]), loaded), None, "the clocks are not that exact");
    assert_eq!(stale(&Configuration::default(), loaded), None);
}

#[test]
fn clock_ticks_since_boot_are_a_time() {
    let booted = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    assert_eq!(started_at(250, 100, booted), Some(booted + Duration::from_millis(2500)));
    assert_eq!(started_at(250, 0, booted), None);
}
