//! What goes to the log and was named by a user: nothing in it may look like another line.

/// A text that may have names made by a user, fit for the log.
pub(crate) fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().replace(char::is_control, "?")
}
