//! Processor time and memory of a process, from /proc.

use std::fs;
use std::time::Duration;

/// A process of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// This one.
    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    /// Processor time of all its threads that live, to the nanosecond; `None` where the system
    /// does not tell. Threads of the server live as long as it does.
    pub(crate) fn cpu(self) -> Option<Duration> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0)).ok()?;
        let mut total = Duration::ZERO;
        for thread in threads.flatten() {
            // A thread may end between being listed and being read.
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok())?;
            total += Duration::from_nanos(ns);
        }
        Some(total)
    }

    /// Resident memory in bytes; `None` where the system does not tell.
    pub(crate) fn memory_bytes(self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_shows_in_processor_time_and_memory() {
        let own = Process::own();
        let (cpu, memory) = (own.cpu().unwrap(), own.memory_bytes().unwrap());
        let held = vec![1_u8; 32 << 20];
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            std::hint::black_box(held.iter().map(|byte| u64::from(*byte)).sum::<u64>());
        }
        assert!(own.cpu().unwrap() > cpu + Duration::from_millis(20));
        assert!(own.memory_bytes().unwrap() >= memory + (30 << 20));
    }
}
