//! What goes to standard output, line by line.

use std::io::{self, BufWriter, StdoutLock, Write};

use crate::error::BoxError;

/// Standard output.
pub(super) type Out = BufWriter<StdoutLock<'static>>;

/// Standard output, which has to be flushed at the end.
pub(super) fn standard() -> Out {
    BufWriter::new(io::stdout().lock())
}

/// What could not be written, but for that nobody reads on, such as `head`: that is no error
/// of a list for people.
///
/// # Errors
/// All others.
pub(super) fn unless_closed(done: Result<(), BoxError>) -> Result<(), BoxError> {
    match done {
        Err(error) if is_closed(error.as_ref()) => Ok(()),
        done => done,
    }
}

fn is_closed(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes a JSON object and ends its line.
///
/// # Errors
/// That it cannot be written.
pub(super) fn json_line(mut to: impl Write, value: &impl serde::Serialize) -> Result<(), BoxError> {
    serde_json::to_writer(&mut to, value).map_err(io::Error::from)?;
    to.write_all(b"\n")?;
    Ok(())
}
