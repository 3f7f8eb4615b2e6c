//! A server in its own process, ended on drop, and what the kernel counts of it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use procfs::process::Process as Proc;

use crate::Fault;

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    proc: Proc,
}

/// Resident memory in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) most: u64,
}

impl Process {
    /// Starts it. Where its output goes is the command's business.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Fault> {
        let program = command.get_program().to_string_lossy().into_owned();
        let started = command.stdin(Stdio::null()).spawn();
        let child = started.map_err(|fault| format!("{program} does not start: {fault}"))?;
        let proc = Proc::new(i32::try_from(child.id())?)?;
        Ok(Self { child, proc })
    }

    /// CPU time so far: user and system, of all threads. It comes in ticks of the kernel's, usually
    /// 10 ms.
    pub(crate) fn cpu(&self) -> Result<Duration, Fault> {
        let stat = self.proc.stat()?;
        let ticks = Duration::from_secs(stat.utime + stat.stime);
        Ok(ticks / u32::try_from(procfs::ticks_per_second())?)
    }

    /// Resident memory.
    pub(crate) fn memory(&self) -> Result<Memory, Fault> {
        let status = self.proc.status()?;
        let both = status.vmrss.zip(status.vmhwm);
        let (now, most) = both.ok_or("the kernel does not tell the memory of a process")?;
        Ok(Memory { now, most })
    }

    /// Has it ended by itself?
    pub(crate) fn is_over(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that nobody has right now.
pub(crate) fn free_port() -> Result<u16, Fault> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
