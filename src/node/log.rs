//! The node's own lines, on their way to standard error or output.
//!
//! A thread of its own writes them, from a bounded queue. Whatever happens to the output (its
//! reader is slow, stalled or gone, the disk behind it is full) neither ends nor delays the node:
//! lines that find no room are dropped and counted, and it is said so when the output takes lines
//! again.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait, at most; our choice.
const LINES: usize = 16_384;
/// Bytes of them, at most; our choice.
const BYTES: usize = 4 << 20;
/// An output that says "not now" is asked again after this time.
const LATER: Duration = Duration::from_millis(20);

/// Lines lost since the process started, over all outputs.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How the line is written that says that so many others were lost.
pub type LostLine = fn(u64) -> String;

/// An output of lines that never waits.
#[derive(Debug, Clone)]
pub struct Output(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something is in the queue.
    filled: Condvar,
    /// Everything was written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The thread is writing what it has taken.
    writing: bool,
    /// Lines lost that the output was not told of.
    lost: u64,
}

/// Lines that were lost since the process started.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

impl Output {
    /// Writes to `out` from now on, in a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(out: impl Write + Send + 'static, lost: LostLine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let output = Self(shared.clone());
        let thread = std::thread::Builder::new().name("wvgate-log".to_owned());
        thread.spawn(move || shared.write_for_ever(out, lost))?;
        Ok(output)
    }

    /// Adds a line with its end. Never waits; without room it is lost.
    pub fn push(&self, line: Vec<u8>) {
        let mut queue = self.0.lock();
        if queue.lines.len() >= LINES || queue.bytes + line.len() > BYTES {
            queue.lost += 1;
            LOST.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        self.0.filled.notify_one();
    }

    /// Adds a line to what is written.
    pub fn say(&self, text: &str) {
        self.push(format!("{text}\n").into_bytes());
    }

    /// Waits until everything is written, but no longer than this.
    pub fn flush(&self, patience: Duration) {
        let queue = self.0.lock();
        let busy = |queue: &mut Queue| queue.writing || !queue.lines.is_empty();
        let _ = self.0.emptied.wait_timeout_while(queue, patience, busy);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_for_ever(&self, mut out: impl Write, lost_line: LostLine) {
        loop {
            let (lines, lost) = self.take();
            let mut failed = 0;
            for line in &lines {
                failed += u64::from(write(&mut out, line).is_err());
            }
            let mut told = 0;
            if lost > 0 && failed == 0 {
                let line = lost_line(lost) + "\n";
                if write(&mut out, line.as_bytes()).is_ok() {
                    told = lost;
                }
            }
            LOST.fetch_add(failed, Ordering::Relaxed);
            let mut queue = self.lock();
            queue.lost = (queue.lost + failed).saturating_sub(told);
            queue.writing = false;
            if queue.lines.is_empty() {
                self.emptied.notify_all();
            }
        }
    }

    /// Waits for lines and takes them; and how many were lost before.
    fn take(&self) -> (Vec<Vec<u8>>, u64) {
        let mut queue = self.lock();
        while queue.lines.is_empty() {
            let woken = self.filled.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
        queue.writing = true;
        // Few, so that what an output does not take is little more than the bound.
        let many = queue.lines.len().min(64);
        let lines: Vec<Vec<u8>> = queue.lines.drain(..many).collect();
        queue.bytes -= lines.iter().map(Vec::len).sum::<usize>();
        (lines, queue.lost)
    }
}

fn write(out: &mut impl Write, line: &[u8]) -> io::Result<()> {
    let mut rest = line;
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Whoever shares the output with us has made it so.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LATER),
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

/// One line of `tracing`, which writes each with a single call.
#[derive(Debug)]
pub struct Line<'o>(&'o Output);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'o> MakeWriter<'o> for Output {
    type Writer = Line<'o>;

    fn make_writer(&'o self) -> Line<'o> {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// For what must happen in another thread.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Takes a line only when told what to make of it.
    struct Gate {
        verdicts: Receiver<io::Result<()>>,
        written: Sender<String>,
    }

    impl Write for Gate {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.verdicts.recv().unwrap_or(Ok(()))?;
            let _ = self
                .written
                .send(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (Output, Sender<io::Result<()>>, Receiver<String>) {
        let (verdict, verdicts) = channel();
        let (written, lines) = channel();
        let gate = Gate { verdicts, written };
        let output = Output::start(gate, |lost| format!("{lost} lost")).unwrap();
        (output, verdict, lines)
    }

    #[test]
    fn an_output_that_takes_nothing_costs_bounded_memory_and_no_time() {
        let (output, verdict, lines) = gate();
        let long = "x".repeat(1000);
        for _ in 0..20_000 {
            output.say(&long);
        }
        let queue = output.0.lock();
        assert!(queue.bytes <= BYTES && queue.lines.len() <= LINES);
        let lost = queue.lost;
        assert!(lost > 10_000, "{lost}");
        drop(queue);
        // Nothing is written, and nobody waits for it.
        output.flush(Duration::from_millis(10));
        assert!(lines.try_recv().is_err());
        // When it takes lines again, it is told how many it missed: in two parts, if some were
        // missed before its thread began.
        drop(verdict);
        let (mut seen, mut told) = (0, 0);
        while told < lost {
            let line = lines.recv_timeout(PATIENCE).unwrap();
            match line.strip_suffix(" lost\n") {
                Some(number) => told += number.parse::<u64>().unwrap(),
                None => seen += 1,
            }
        }
        assert_eq!(told, lost);
        assert!(seen >= 64);
        output.flush(PATIENCE);
        assert_eq!(output.0.lock().lost, 0);
    }

    #[test]
    fn what_an_output_refuses_is_counted_and_said_later() {
        let (output, verdict, lines) = gate();
        let before = lost();
        verdict.send(Err(ErrorKind::StorageFull.into())).unwrap();
        output.say("one");
        output.flush(PATIENCE);
        assert!(lost() > before);
        verdict.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        drop(verdict);
        output.say("two");
        assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), "two\n");
        assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), "1 lost\n");
    }
}
