//! The whole server, asked in process.
