//! MARC records: how a library catalogue describes one publication.
//!
//! A record is a list of *fields* with three-character ids. A **control field** is plain text (`001` is the record's
//! number). A **data field** has two one-character **indicators** and coded **subfields**: `245 $a` is the title proper.
//! Fields whose ids are letters (`FMT`, `IST`, `BAS`, ...) are local to the Czech National Library.
//!
//! A record arrives as XML in one of two dialects, *MARCXML* and Aleph's own *OAI MARC*. [`Record::from_xml`] reads
//! both; [`Records`] reads several records from one document. The document comes from the network, so the reader
//! refuses document type declarations and unknown entities and keeps to [`Limits`].
//!
//! Two ways lead to the values: [`Record::get`] and [`Record::lookup`] by field and subfield, or the named accessors
//! ([`Record::title`], [`Record::isbns`], [`Record::persons`], [`Record::kind`], [`Record::is_closed`], ...), which know
//! the cataloguing rules. They follow what the original package extracted, save where it was plainly mistaken; each
//! such accessor says so.
//!
//! ```
//! use edeposit_marc::Record;
//!
//! let record = Record::from_xml(
//!     r#"<record><controlfield tag="001">nkc20240001234</controlfield>
//!        <datafield tag="245" ind1="1" ind2="0"><subfield code="a">Úly na střechách /</subfield></datafield></record>"#,
//! )?;
//! assert_eq!(record.id_number(), Some("nkc20240001234"));
//! assert_eq!(record.title(), "Úly na střechách");
//! assert_eq!(record.get("245", 'a', None, None)?, ["Úly na střechách /"]);
//! # Ok::<(), edeposit_marc::Error>(())
//! ```

mod access;
mod error;
mod extract;
mod kind;
mod limits;
mod person;
mod progress;
mod reader;
mod record;
mod text;
pub mod xml;

pub use access::Found;
pub use error::Error;
pub use kind::Kind;
pub use limits::Limits;
pub use person::{Corporation, Person};
pub use reader::Records;
pub use record::{DataField, Dialect, Record, Subfield};
