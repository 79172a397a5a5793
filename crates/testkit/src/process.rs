//! Child processes with a deadline, ended by their own id.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A program's path, if it is on `PATH`.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// More output than this is a runaway program; the rest is dropped.
const MAX_OUTPUT_BYTES: u64 = 64 << 20;

/// What a finished child process left behind.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, at most 64 MiB, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, with the same bounds.
    pub stderr: String,
}

impl Output {
    /// Whether the process exited with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The output itself, if the process exited with 0.
    ///
    /// # Panics
    ///
    /// When it did not; the message holds everything the process printed.
    #[must_use]
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(self.success(), "the command failed: {self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.status, self.stdout, self.stderr
        )
    }
}

/// Runs a command to its end without standard input and collects what it prints.
///
/// The command leads a process group of its own. After `timeout` the whole group is killed.
///
/// # Errors
///
/// When the command cannot be started, or with [`io::ErrorKind::TimedOut`] after the timeout;
/// that error's text holds what was printed so far.
pub fn run(command: &mut Command, timeout: Duration) -> io::Result<Output> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);

    let deadline = Instant::now() + timeout;
    let mut collected = [String::new(), String::new()];
    let mut timed_out = false;
    for (text, stream) in collected.iter_mut().zip([stdout, stderr]) {
        let Some(stream) = stream else { continue };
        let left = deadline.saturating_duration_since(Instant::now());
        let received = match stream.recv_timeout(left) {
            Err(mpsc::RecvTimeoutError::Timeout) => {
                timed_out = true;
                // Not reaped yet, so the id is still this child's.
                signal_group(child.id(), "KILL")?;
                stream.recv().ok()
            }
            other => other.ok(),
        };
        *text = received.unwrap_or_default();
    }
    let status = child.wait()?;
    let [stdout, stderr] = collected;
    let output = Output {
        status,
        stdout,
        stderr,
    };
    if timed_out {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{command:?} was killed after {timeout:?}: {output}"),
        ));
    }
    Ok(output)
}

/// Sends a signal (`"TERM"`, `"KILL"`, …) to one process.
///
/// Call it only for a child that was not waited for yet: its id cannot have a new owner.
///
/// # Errors
///
/// When there is no such process.
pub fn signal(pid: u32, name: &str) -> io::Result<()> {
    shell_kill(name, &pid.to_string())
}

fn signal_group(leader: u32, name: &str) -> io::Result<()> {
    shell_kill(name, &format!("-{leader}"))
}

/// The standard library can only kill; the shell's built-in sends any signal without unsafe code.
fn shell_kill(name: &str, target: &str) -> io::Result<()> {
    let status = Command::new("sh")
        .args(["-c", r#"kill -s "$0" -- "$1""#, name, target])
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no process {target} to send {name} to"),
        ))
    }
}

fn read_all<R: Read + Send + 'static>(stream: R) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut stream = stream.take(MAX_OUTPUT_BYTES);
        // A broken pipe ends the text early; the exit status tells the rest.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let _ = sender.send(text);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_and_the_exit_code_are_collected() {
        let output = run(&mut shell("echo out; echo err >&2; exit 3"), LONG).unwrap();
        assert_eq!(output.stdout, "out\n");
        assert_eq!(output.stderr, "err\n");
        assert_eq!(output.status.code(), Some(3));
    }

    #[test]
    fn a_process_past_its_time_is_killed_with_its_children() {
        let mut command = shell("echo started; sleep 600 & sleep 600");
        let error = run(&mut command, Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("started"), "{error}");
    }

    #[test]
    fn standard_input_is_empty() {
        let output = run(&mut shell("cat"), LONG).unwrap();
        assert_eq!(output.stdout, "");
        assert!(output.success());
    }
}
