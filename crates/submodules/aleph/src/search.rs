//! Searching and counting: from a query to the records it matches.

use edeposit_serializers::Value;

use crate::messages::{AlephRecord, DocumentQuery, Loose, Query, SearchResult};
use crate::xserver::{FoundSet, doc_number};
use crate::{Aleph, AlephError};

/// How many bytes of records one search may gather.
const MAX_BYTES: usize = 64 * 1024 * 1024;

impl Aleph {
    /// The records a query matches, in the catalogue's order, `ALEPH_MAX_RECORDS` at most.
    ///
    /// A record that was deleted or cannot be read is left out and logged. (The original failed altogether.) But no record
    /// at all is found only if the catalogue says so, or all were deleted.
    ///
    /// # Errors
    /// The catalogue refuses the search or one of its records, or cannot be asked; it sends something else than a record;
    /// none of the records can be read, or they have more than 64 MiB; for a [`DocumentQuery`] also if there is no such record.
    pub async fn search(&self, query: &Query) -> Result<SearchResult, AlephError> {
        let search = match self.operation(query) {
            Operation::FindDoc(query) => {
                return Ok(SearchResult {
                    records: vec![self.document(query).await?],
                });
            }
            Operation::Find(search) => search,
        };
        let mut records = Vec::new();
        let Some(set) = search.run(self).await? else {
            return Ok(SearchResult { records });
        };
        let mut bytes = 0;
        let mut unreadable = None;
        // a server that would hand out none of its hits is asked for one all the same: it then says why
        let available = set.records.min(set.entries.max(1));
        for entry in 1..=available.min(self.settings.max_records) {
            match self.entry(search.base, set, entry).await {
                Ok(record) => {
                    bytes += record.xml.len();
                    if bytes > MAX_BYTES {
                        return Err(AlephError::TooMuch { limit: MAX_BYTES });
                    }
                    records.push(record);
                }
                Err(error) if error.is_about_one_record() => {
                    tracing::warn!(
                        base = search.base,
                        set = set.number,
                        entry,
                        "record left out: {error}"
                    );
                    if !matches!(error, AlephError::DocumentNotFound(_)) {
                        unreadable = Some(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        match unreadable {
            Some(error) if records.is_empty() => Err(error),
            _ => Ok(SearchResult { records }),
        }
    }

    /// How many records a query matches, as far as the server would hand them out ([`FoundSet::entries`]); for a
    /// [`DocumentQuery`] 1 or 0.
    ///
    /// # Errors
    /// The catalogue refuses the search or cannot be asked.
    pub async fn count(&self, query: &Query) -> Result<u64, AlephError> {
        match self.operation(query) {
            Operation::Find(search) => Ok(search.run(self).await?.map_or(0, |set| set.entries)),
            Operation::FindDoc(query) => match self.document(query).await {
                Ok(_) => Ok(1),
                Err(AlephError::DocumentNotFound(_)) => Ok(0),
                Err(error) => Err(error),
            },
        }
    }

    async fn entry(
        &self,
        base: &str,
        set: FoundSet,
        entry: u64,
    ) -> Result<AlephRecord, AlephError> {
        let xml = self.server.present(set, entry).await?;
        let number = doc_number(&xml).unwrap_or_else(|| "-1".to_owned());
        let library = self.settings.default_library.clone();
        AlephRecord::from_xml(Some(base.to_owned()), library, number.into(), xml)
    }

    async fn document(&self, query: &DocumentQuery) -> Result<AlephRecord, AlephError> {
        let library = query
            .library
            .as_ref()
            .unwrap_or(&self.settings.default_library);
        // a list or the like is no number of a record, and is told so as any other wrong number is
        let doc_id = match &query.doc_id {
            Loose::Text(text) => text.clone(),
            Loose::Number(number) => Value::from(number.clone()).to_string(),
            Loose::Null | Loose::Bool(_) | Loose::List(_) => String::new(),
        };
        let xml = self.server.find_doc(&doc_id, library).await?;
        AlephRecord::from_xml(None, library.clone(), query.doc_id.clone(), xml)
    }

    fn operation<'a>(&'a self, query: &'a Query) -> Operation<'a> {
        let (base, index, phrase) = match query {
            Query::ISBNQuery(q) => (&q.base, "sbn", &q.ISBN),
            Query::AuthorQuery(q) => (&q.base, "wau", &q.author),
            Query::PublisherQuery(q) => (&q.base, "wpb", &q.publisher),
            Query::TitleQuery(q) => (&q.base, "wtl", &q.title),
            Query::ICZQuery(q) => (&q.base, "icz", &q.icz),
            Query::GenericQuery(q) => (&q.base, q.field.as_str(), &q.phrase),
            Query::DocumentQuery(query) => return Operation::FindDoc(query),
        };
        let base = base.as_ref().unwrap_or(&self.settings.default_base);
        Operation::Find(Search {
            base,
            index,
            phrase,
        })
    }
}

/// By which operation of the X-Server a query is answered.
enum Operation<'a> {
    Find(Search<'a>),
    FindDoc(&'a DocumentQuery),
}

struct Search<'a> {
    base: &'a str,
    index: &'a str,
    phrase: &'a str,
}

impl Search<'_> {
    async fn run(&self, aleph: &Aleph) -> Result<Option<FoundSet>, AlephError> {
        aleph.server.find(self.base, self.index, self.phrase).await
    }
}
