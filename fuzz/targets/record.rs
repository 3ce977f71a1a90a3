//! Records: whatever the kernel side writes, each one is read or counted as refused, and all that follows ends too.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use libfuzzer_sys::fuzz_target;
use reset_observer::{
    attribute::Attributor,
    nginx::{
        processes::{FoundProcess, NginxProcesses},
        sockets::{FoundSockets, ListeningSocket, NginxSockets},
    },
    decode::Decoder,
    pipeline::Pipeline,
    record::{KernelTime, Message},
};
use reset_observer_ebpf::record::{RECORD_VERSION, RawRecord};

/// The worker that the seeds name as owner.
const WORKER: u32 = 3632;

static SOCKETS: LazyLock<FoundSockets> = LazyLock::new(|| FoundSockets {
    listening: vec![ListeningSocket { netns: None, address: ([0, 0, 0, 0], 80).into() }],
    ..FoundSockets::default()
});

fuzz_target!(|data: &[u8]| {
    let mut pipeline = Pipeline::new(Decoder::default(), attributor(), Duration::from_millis(300));
    let mut decoder = Decoder::default();
    let mut taken = 0;
    for bytes in data.chunks(size_of::<RawRecord>()) {
        pipeline.take(bytes);
        taken += 1;
        match decoder.decode(bytes) {
            Ok(message) => {
                let at = match message {
                    Message::Connection(record) => record.at,
                    Message::Process(event) => event.at,
                };
                assert_eq!(bytes.len(), size_of::<RawRecord>());
                assert_eq!(bytes[..2], RECORD_VERSION.to_ne_bytes());
                pipeline.due(KernelTime(at.0.saturating_add(1)));
            }
            Err(reason) => assert!(!format!("{reason:#}").is_empty()),
        }
    }
    pipeline.flush();
    let counts = pipeline.counts();
    assert_eq!(counts.decoded + counts.refused, taken, "each record is read or counted as refused");
});

fn attributor() -> Attributor {
    let process = |pid, parent, title: &str| FoundProcess {
        pid,
        parent,
        comm: "nginx".into(),
        title: title.into(),
        ..FoundProcess::default()
    };
    let processes = NginxProcesses::fixed(vec![
        process(WORKER - 1, 1, "nginx: master process"),
        process(WORKER, WORKER - 1, "nginx: worker process"),
    ]);
    Attributor::new(processes, NginxSockets::fixed(SOCKETS.clone()))
}
