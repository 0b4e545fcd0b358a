//! The workspace over HTTP: tree, files, uploads, archives; nothing outside its root.
