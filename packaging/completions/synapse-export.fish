# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_synapse_export_global_optspecs
    string join \n log-format= log-level= q/quiet config= h/help V/version
end

function __fish_synapse_export_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_synapse_export_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_synapse_export_using_subcommand
    set -l cmd (__fish_synapse_export_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c synapse-export -n "__fish_synapse_export_needs_command" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_needs_command" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_needs_command" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_needs_command" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "export" -d 'Bring an archive up to date: read what is new in the database, and what has appeared late'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "room" -d 'Dump one room: as the lines that an archive would have, in the room\'s own order; or as what is handed on, a page, a text, a zip, a database, from the archive where that has the room'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "user" -d 'Hand on all that one person sent, in whichever room of the archive or the server, without what others said: as a page, a text, JSON lines, a zip of these, or a database'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "rooms" -d 'List the rooms that the server knows: names, aliases, kinds, sizes, and when something last happened in them'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "search" -d 'Find what was said in an archive: words, "phrases", beginnings*, who, where, when; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "show" -d 'Show an event of an archive: as a transcript does, with what stands before and after; or its line, or all there is about it as JSON'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "render" -d 'Render transcripts that are not up to date, or all of them anew; from the archive alone, without the database'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "rebuild" -d 'Make an archive\'s catalog.sqlite anew from its files, without the database: where it is lost or damaged, or does not fit them, as in a copy'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "verify" -d 'Verify an archive: that every line is the one that was written, where the catalog says, and what each event proves by its own hashes and signatures'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "erase" -d 'Erase events from an archive for good: their lines are pruned as a redaction does, in the files, the catalog, the index of search and the transcripts, and no later export brings them back. Without --yes it says only what it would do'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "compact" -d 'Compress the lines of past days: a day\'s .jsonl becomes .jsonl.zst, which zstdcat and zstdgrep read, and every command as before. Nothing else changes, and --expand brings all of them back'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "output" -d 'Keep the archive up to date elsewhere, as Parquet files for other engines or in another PostgreSQL; from the archive alone, without Synapse\'s database'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "status" -d 'Show on one screen how an archive is: how far and how large, which rooms grow, what is pending, and what to do; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "stats" -d 'Count an archive\'s events, and the bytes of their lines, by room, sender, day or type: the most first, of days the newest; from the catalog alone'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "doctor" -d 'Check database and archive: what is wrong, what will go wrong, and what to do about it'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "keys" -d 'Look at the keys of encrypted rooms, and at what was decrypted'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "media" -d 'Copy the files that archived events name, pictures and all else, or list those that are lacking'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "watermark" -d 'Show or reset how far the export has come'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "config" -d 'Show what holds for an export, or write a configuration file to begin with'
complete -c synapse-export -n "__fish_synapse_export_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l room -d 'Export only this room: an id (!…), a local alias (#…), or @FILE with one on each line, and comments after "# ". Remembered for the runs to come, in place of what was selected before; a room added later is caught up from its beginning' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l exclude-room -d 'Do not export this room; as --room' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l show-redacted -d 'Show in transcripts what redacted messages said, visibly marked. Remembered for the runs to come' -r -f -a "true\t''
false\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l hide-erased -d 'Hide in transcripts what users said whom the server has erased, as what is redacted; lines keep it. Remembered for the runs to come; not with --show-redacted' -r -f -a "true\t''
false\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l timezone -d 'Show in transcripts times of this zone, an IANA name like Europe/Berlin; days stay those of UTC. Remembered for the runs to come' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l max-lag -d 'End with status 75 when the database is a replica or a logical subscriber that is further behind than this, or cannot tell: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l decrypt -d 'Decrypt what can be, by the keys that the options below name, and keep what it says in the archive\'s `decrypted.sqlite`: transcripts, `search` and `show` tell it; lines stay as they are. Where the keys are is remembered for the runs to come, never a key; with `=false`, nothing is decrypted any more (what was stays, until `keys forget --plaintext`)' -r -f -a "true\t''
false\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l backup-user -d 'A user whose key backup is in the database; can be repeated. Needs `sql/reader_role_keys.sql`' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l recovery-key-file -d 'A file with a recovery key: a backup\'s own, or that of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l passphrase-file -d 'A file with the passphrase of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l secret-storage-file -d 'The user\'s account data of secret storage, a JSON object of contents by type, in place of what the database has' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l key-file -d 'A file of keys that a client has exported, or `keys import` has made; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l key-file-passphrase-file -d 'A file with the passphrase of a key file; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l bridge-database -d 'The database of a mautrix bridge: a postgres:// URL or key=value string; its password belongs in ~/.pgpass; can be repeated' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l bridge-config -d 'A bridge\'s own config.yaml, which says where its database is and how it pickles; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l bridge-store -d 'The SQLite database of a bridge, or of a client of matrix-nio; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l pickle-key-file -d 'A file with the pickle key of a bridge or of matrix-nio, beside those that are known; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l media-store -d 'Copy the files that archived events name from this directory, Synapse\'s `media_store_path`, or that of a storage provider on disk; can be repeated. Needs `sql/reader_role_media.sql`. An archive remembers it for the runs to come, in place of what was said before' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l media-max-size -d 'Only files up to this size: 500K, 20M, 2G' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l media-types -d 'Only files of these media types, as who sent them says: image,video/mp4' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l interval -d 'With --follow, how often it is asked whether something is new: 5s, 1m' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l render-every -d 'With --follow, how often at the most transcripts, the index of search and all else are brought up to date that is made of lines' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l metrics-file -d 'Write what it has come to into this file, in Prometheus\' text format, for the textfile collector of node_exporter: FILE.prom' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l on-failure -d 'Have sh run this when the export fails or something is off, and with --follow also when it begins to wait for something that fails; it finds SYNAPSE_EXPORT_STATUS, SYNAPSE_EXPORT_MESSAGE and SYNAPSE_EXPORT_ARCHIVE in its environment' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l hold-while -d 'Have sh run this at the end, while nothing else may write to the archive, as to copy it: rsync, or a snapshot of its file system. It finds SYNAPSE_EXPORT_ARCHIVE and SYNAPSE_EXPORT_CATALOG, the directories, in its environment; that it fails is a failure of the export' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l group-readable -d 'Let the group of the archive\'s directory read all that is in it: directories get mode 2750, files 0640, also those that are there. Remembered for the runs to come'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l no-group-readable -d 'Let only its owner read it again'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l all-rooms -d 'Forget the rooms selected in earlier runs, and export all'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l no-markdown -d 'Render no transcripts: they wait for the next export without this, or for `synapse-export render`'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l no-search -d 'Leave the index of `search` as it is: it waits for the next export without this, or for `synapse-export search --update`'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l ignore-erased -d 'With what --hide-erased has remembered: render transcripts also where it may not be read whom the server has erased'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l during-initial-copy -d 'Go on also while a logical subscriber has yet to copy tables, which else ends with status 75: events may be without their JSON, which an export waits for, for a day only; and what has rejected or redacted them may not be known yet'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l avatars -d 'Members\' and rooms\' pictures too'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l no-media -d 'Copy no files from now on; those that are there stay'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l look-for-missing -d 'Look through all of `event_json` for rows that its index does not show, as after a change of the database\'s collation, which doctor tells of: slowly, and a run that is stopped is gone on with by the next one with this option'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l follow -d 'Do not end: go on reading what is new, until a signal ends it, and let other commands in that write to the archive'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -l all-archives -d 'Export to each archive of the configuration file, one after the other, whether one fails or not'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand export" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l from -d 'Read it from the archive that --archive names, or from the server. Unless given: what is handed on (all forms but jsonl) from the archive where that has the room, else from the server; JSON lines, --state and --decrypt from the server' -r -f -a "archive\t'The archive that is named'
server\t'The server\'s database'"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l since -d 'Only events sent at or after this time: a date (of --timezone), or RFC 3339' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l until -d 'Only events sent before this time' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l timezone -d 'The time zone of the dates that --since and --until name, and of a document\'s times: an IANA name like Europe/Berlin' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l format -d 'As JSON lines (a room\'s own form), as one markdown document, as a page for browsers (a person\'s own form), as a zip of all these, or as an SQLite database; the last two take --output' -r -f -a "jsonl\t'The lines that an archive has'
markdown\t'A transcript with a heading for each day'
html\t'The same as a page that browsers open, print and search; it loads nothing'
zip\t'Pages, transcript and lines in one file, with a manifest'
sqlite\t'A database that anything opens which reads SQLite'"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l split -d 'Cut a page for browsers into several: one for each `day`, each `month`, or for so many messages. --output names a directory then, which must not exist yet; index.html in it leads to them. Those of a zip are by month unless this is given' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l output -d 'Write to this file, which must not exist yet, instead of stdout (-); it is there only once it is whole' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l backup-user -d 'A user whose key backup is in the database; can be repeated. Needs `sql/reader_role_keys.sql`' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l recovery-key-file -d 'A file with a recovery key: a backup\'s own, or that of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l passphrase-file -d 'A file with the passphrase of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l secret-storage-file -d 'The user\'s account data of secret storage, a JSON object of contents by type, in place of what the database has' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l key-file -d 'A file of keys that a client has exported, or `keys import` has made; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l key-file-passphrase-file -d 'A file with the passphrase of a key file; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l bridge-database -d 'The database of a mautrix bridge: a postgres:// URL or key=value string; its password belongs in ~/.pgpass; can be repeated' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l bridge-config -d 'A bridge\'s own config.yaml, which says where its database is and how it pickles; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l bridge-store -d 'The SQLite database of a bridge, or of a client of matrix-nio; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l pickle-key-file -d 'A file with the pickle key of a bridge or of matrix-nio, beside those that are known; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l media-store -d 'Copy the files that archived events name from this directory, Synapse\'s `media_store_path`, or that of a storage provider on disk; can be repeated. Needs `sql/reader_role_media.sql`. An archive remembers it for the runs to come, in place of what was said before' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l media-max-size -d 'Only files up to this size: 500K, 20M, 2G' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l media-types -d 'Only files of these media types, as who sent them says: image,video/mp4' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l show-redacted -d 'Show what redacted messages said, visibly marked in a document, and what users said whom the server has erased; in lines also events that clients never saw'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l ignore-erased -d 'Go on where it cannot be told whom the server has erased; what they said stays'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l verify -d 'Check what each event proves by its own hashes and signatures, and tell how many prove what'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l with-media -d 'Put the files that events name into an SQLite database too, as far as the archive has them; a zip always has them'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l state -d 'First the room\'s state as it is now, one line for each type and state key; when no local user is left in the room, the newest state event of each that the server has'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l honour-redactions -d 'Leave out what has been redacted, as clients do, for a dump to hand on: redacted events are pruned by their room version\'s rules and get `unsigned.redacted_because`, edits of redacted events are pruned too, and copies of other events in `unsigned` are left out. So is what users said whom the server has erased. What a reply quotes in its own text stays'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l decrypt -d 'Decrypt what can be, by the keys that the options below name. In JSON lines `type` and `content` are the decrypted ones, those that are stored stand under `synapse.encrypted`; of what cannot be read `synapse.undecryptable` says why. In a document what was encrypted has a mark. The room is read more than once'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l avatars -d 'Members\' and rooms\' pictures too'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -l during-initial-copy -d 'Go on also while a logical subscriber has yet to copy tables, which else ends with status 75: events may be without their JSON, which an export waits for, for a day only; and what has rejected or redacted them may not be known yet'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand room" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l from -d 'Read the archive that --archive names, or the server: all rooms that the person was ever a member of, in a temporary directory. Unless given: the archive, if one is named and is there' -r -f -a "archive\t'The archive that is named'
server\t'The server\'s database'"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l since -d 'Only events sent at or after this time: a date (of --timezone), or RFC 3339' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l until -d 'Only events sent before this time' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l timezone -d 'The time zone of the dates that --since and --until name, and of a document\'s times: an IANA name like Europe/Berlin' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l format -d 'As JSON lines (a room\'s own form), as one markdown document, as a page for browsers (a person\'s own form), as a zip of all these, or as an SQLite database; the last two take --output' -r -f -a "jsonl\t'The lines that an archive has'
markdown\t'A transcript with a heading for each day'
html\t'The same as a page that browsers open, print and search; it loads nothing'
zip\t'Pages, transcript and lines in one file, with a manifest'
sqlite\t'A database that anything opens which reads SQLite'"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l split -d 'Cut a page for browsers into several: one for each `day`, each `month`, or for so many messages. --output names a directory then, which must not exist yet; index.html in it leads to them. Those of a zip are by month unless this is given' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l output -d 'Write to this file, which must not exist yet, instead of stdout (-); it is there only once it is whole' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l media-store -d 'Copy the files that archived events name from this directory, Synapse\'s `media_store_path`, or that of a storage provider on disk; can be repeated. Needs `sql/reader_role_media.sql`. An archive remembers it for the runs to come, in place of what was said before' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l media-max-size -d 'Only files up to this size: 500K, 20M, 2G' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l media-types -d 'Only files of these media types, as who sent them says: image,video/mp4' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l show-redacted -d 'Show what redacted messages said, visibly marked in a document, and what users said whom the server has erased; in lines also events that clients never saw'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l ignore-erased -d 'Go on where it cannot be told whom the server has erased; what they said stays'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l verify -d 'Check what each event proves by its own hashes and signatures, and tell how many prove what'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l with-media -d 'Put the files that events name into an SQLite database too, as far as the archive has them; a zip always has them'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l avatars -d 'Members\' and rooms\' pictures too'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -l during-initial-copy -d 'Go on also while a logical subscriber has yet to copy tables, which else ends with status 75: events may be without their JSON, which an export waits for, for a day only; and what has rejected or redacted them may not be known yet'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand user" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l sort -d 'What comes first: names by alphabet, the most events or members, the latest activity as the server received it, or ids by alphabet' -r -f -a "name\t''
events\t''
members\t''
activity\t''
id\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l name -d 'Only rooms with this in their name or an alias, in upper or lower case' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l type -d 'Only these: room, space or dm (direct chats)' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l archive -d 'The archive for --selected; nothing is written to it' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l limit -d 'Only the first so many' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -s r -l reverse -d 'The other way round'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l abandoned -d 'Only rooms in which no local user is left'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l encrypted -d 'Only encrypted rooms'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l selected -d 'Only those that the exports of --archive take, as --room and --exclude-room have selected them; with those that are left out by their ids, which are marked'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l no-counts -d 'Do not count events and members, which takes longest where there are many'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -l json -d 'A JSON object on each line, with all there is to know'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rooms" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l from -d 'Sent by: an id, a name, a part of one' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l in -d 'In a room: an id, an alias, a name, a part of one' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l before -d 'Before a date: 2026-11-22, 2026-11, yesterday, 7d' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l after -d 'After a date' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l on -d 'On a date' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l has -d 'With a link, image, video, file, audio, poll, reaction, edit or thread' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l is -d 'A reply, in a thread, redacted, edited or encrypted' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l mentions -d 'That mentions somebody' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l sort -d 'What comes first: the newest, or of the newest 5,000 those that have the words more often and closer together' -r -f -a "newest\t''
relevance\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l limit -d 'At most so many' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l after-result -d 'Only what comes behind the result with this event id: the next page' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l context -d 'With so many events of its day before and after each' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l index -d 'Keep an index for this archive, or none: then nothing of it is left on the disk, and every text is read. Remembered' -r -f -a "on\t''
off\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l edits -d 'Also what messages said before they were edited'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l show-redacted -d 'Also what redacted messages said'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l substring -d 'WORDS are parts of words, of any characters: every text is read'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l count -d 'Only how many there are'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l json -d 'A JSON object on each line'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -l update -d 'Bring the index up to date, and find nothing'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand search" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l context -d 'With so many events of its day before and after' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l raw -d 'Its line alone, as it is'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l json -d 'A JSON object with its line, where that is, and what there is about it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -l show-redacted -d 'Also what is redacted'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand show" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l room -d 'Render those of this room anew: its id (!…), an alias (#…), its name, or a part of one of them that no other room of the archive has' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l day -d 'Render those of this day anew: YYYY-MM-DD, or `undated`' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l show-redacted -d 'Show what redacted messages said, visibly marked. Remembered for the runs to come' -r -f -a "true\t''
false\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l html -d 'Also keep pages for browsers beside transcripts: index.html, a calendar for each room, and the days. Remembered for the runs to come, of `export` too; with --html=false they are removed' -r -f -a "true\t''
false\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l timezone -d 'Show times of this zone, an IANA name like Europe/Berlin; days stay those of UTC. Remembered for the runs to come' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l group-readable -d 'Let the group of the archive\'s directory read all that is in it: directories get mode 2750, files 0640, also those that are there. Remembered for the runs to come'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l no-group-readable -d 'Let only its owner read it again'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -l all -d 'Render every transcript anew'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand render" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand rebuild" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l room -d 'Only this room: its id (!…), an alias (#…), its name, or a part of one of them that no other room of the archive has' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l since -d 'Only days from this one on: YYYY-MM-DD (and what has no day)' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l server-keys -d 'The public keys of the archive\'s own server: a saved answer of its key API (GET /_matrix/key/v2/server). They are kept with the archive. Can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l progress -d 'Keep how far the comparison with the server is in this file, outside the archive: one that was stopped goes on from there' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l pace -d 'Read at most so many events of the server in a second' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l seal -d 'Write what the archive holds, a few lines of text, to a new file: to be printed, signed, or given to somebody to keep' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l against -d 'Whether the archive still holds all that it held when this was written with --seal' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l threads -d 'How many threads read, as many as there are cores unless given' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l quick -d 'Only whether the lines are those that were written, and where the catalog says: not what they say, nor who signed it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l server -d 'Compare with the server too, whose events are all read for that: the database that the options below, or the environment, name'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -l json -d 'A JSON object'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand verify" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l event -d 'These events' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l sender -d 'All that this user sent, and what he was called; what he sends later is pruned before it is written' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l room -d 'All of this room, an id (!…) or an exact alias (#…); what comes later too' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l before -d 'What was sent or received before, but for state events: a day, or a number of days like 730d; what comes later too' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l redacted-before -d 'What the archive still has of redacted events, if the redaction was received before: a number of days like 90d, or a day' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l again -d 'What this file names, which --tombstones has kept: of an archive that was restored from a backup' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l hold -d 'Erase nothing of this room from now on, whatever else says so: an id (!…) or an exact alias (#…)' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l release -d 'End a hold' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l end -d 'Let something that lasts end, by its number in --list; what is erased stays erased' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l reason -d 'Why, for the record; it stays in the archive' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l tombstones -d 'Keep a copy of what is erased, by hashes of ids, in this file outside the archive. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l erased-users -d 'All that users sent whom the server has erased, as `export --hide-erased` gets to know them'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l go-on -d 'Complete what was cut off, or kept by a reader, before'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l list -d 'Show what lasts, and which rooms are on hold'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l whole -d 'Take the events out whole, not only what they say'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l once -d 'What comes later is archived as it is'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l policy -d 'Do it again with each export, as time goes on: for --redacted-before, --erased-users, and --before with a number of days'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l dry-run -d 'Say only what would be erased'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -l yes -d 'Do it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand erase" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -l older-than -d 'Days that are older: a number of days like 90d, or a date; never today' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -l expand -d 'Bring every day back into a plain file'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand compact" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -f -a "add" -d 'Remember an output. It is made by `output run`, or at the end of each export with --on-export'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -f -a "list" -d 'List the outputs, and how far they are'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -f -a "run" -d 'Bring outputs up to date'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -f -a "remove" -d 'Forget an output; its files, or its tables, stay'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and not __fish_seen_subcommand_from add list run remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l with-redacted -d 'With what redacted messages said, and those of users whom the server has erased; what replies quote stays in them'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l with-erased -d 'With what users said whom the server has erased, unless the archive hides that (export --hide-erased)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l with-rejected -d 'With events that the server rejected or soft-failed, which no client sees'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l with-decrypted -d 'With what encrypted messages say, as far as the archive has decrypted them'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l with-verdicts -d 'With what each event proves of itself, as `verify` finds out; that takes its time, and is found out when a day is made'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -l on-export -d 'Make it at the end of each export, too'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -l json -d 'One JSON object for each'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -l anew -d 'Make all of them anew, whatever is there: where files or rows are lost, or of another state'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from run" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from help" -f -a "add" -d 'Remember an output. It is made by `output run`, or at the end of each export with --on-export'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the outputs, and how far they are'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from help" -f -a "run" -d 'Bring outputs up to date'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Forget an output; its files, or its tables, stay'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand output; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -l json -d 'As JSON, for scripts'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand status" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l by -d 'What to count by' -r -f -a "room\t''
sender\t''
day\t''
type\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l room -d 'Only this room: its id, an alias, its name, or a part of one of them that no other room of the archive has' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l since -d 'Only days from this one on: YYYY-MM-DD, in UTC; what has no day is left out then' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l until -d 'Only days up to this one' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l limit -d 'How many rows; 0: all' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -l json -d 'A JSON object on each line'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand stats" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l archive -d 'The archive\'s directory; without it, only the database is checked' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -l json -d 'As JSON, for scripts'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -f -a "check" -d 'Open the sources of keys that are named, and tell what they have: how many sessions of which rooms; of rooms that are named, how many events they open, and why not the others'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -f -a "import" -d 'Copy the sessions of all sources that are named into one file, encrypted under a passphrase: the only command that stores keys. What it makes is a key file, for `--key-file`'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -f -a "list" -d 'Tell what an archive is decrypted with, how many events of which rooms each source opens, and what cannot be read; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -f -a "forget" -d 'Forget what an archive is decrypted with, and if it is said so, what was decrypted; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and not __fish_seen_subcommand_from check import list forget help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l backup-user -d 'A user whose key backup is in the database; can be repeated. Needs `sql/reader_role_keys.sql`' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l recovery-key-file -d 'A file with a recovery key: a backup\'s own, or that of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l passphrase-file -d 'A file with the passphrase of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l secret-storage-file -d 'The user\'s account data of secret storage, a JSON object of contents by type, in place of what the database has' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l key-file -d 'A file of keys that a client has exported, or `keys import` has made; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l key-file-passphrase-file -d 'A file with the passphrase of a key file; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l bridge-database -d 'The database of a mautrix bridge: a postgres:// URL or key=value string; its password belongs in ~/.pgpass; can be repeated' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l bridge-config -d 'A bridge\'s own config.yaml, which says where its database is and how it pickles; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l bridge-store -d 'The SQLite database of a bridge, or of a client of matrix-nio; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l pickle-key-file -d 'A file with the pickle key of a bridge or of matrix-nio, beside those that are known; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -l json -d 'As JSON, for scripts'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l backup-user -d 'A user whose key backup is in the database; can be repeated. Needs `sql/reader_role_keys.sql`' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l recovery-key-file -d 'A file with a recovery key: a backup\'s own, or that of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l passphrase-file -d 'A file with the passphrase of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l secret-storage-file -d 'The user\'s account data of secret storage, a JSON object of contents by type, in place of what the database has' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l key-file -d 'A file of keys that a client has exported, or `keys import` has made; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l key-file-passphrase-file -d 'A file with the passphrase of a key file; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l bridge-database -d 'The database of a mautrix bridge: a postgres:// URL or key=value string; its password belongs in ~/.pgpass; can be repeated' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l bridge-config -d 'A bridge\'s own config.yaml, which says where its database is and how it pickles; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l bridge-store -d 'The SQLite database of a bridge, or of a client of matrix-nio; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l pickle-key-file -d 'A file with the pickle key of a bridge or of matrix-nio, beside those that are known; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l key-store -d 'The file to be made: a key file as clients export it, which only its owner can read. It must not exist yet' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l key-store-passphrase-file -d 'A file whose first line is the passphrase that the store is encrypted under; - asks for it' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -l plain -d 'Do not encrypt it: who reads the file reads what its keys open. It is a list of sessions as JSON, which `--key-file` takes without a passphrase'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from import" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -l json -d 'As JSON, for scripts'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -l plaintext -d 'Also take away what was decrypted: out of decrypted.sqlite, the index of search and the transcripts, which are rendered anew. Where the keys are still there, a later `export --decrypt` decrypts it again'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from forget" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "check" -d 'Open the sources of keys that are named, and tell what they have: how many sessions of which rooms; of rooms that are named, how many events they open, and why not the others'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "import" -d 'Copy the sessions of all sources that are named into one file, encrypted under a passphrase: the only command that stores keys. What it makes is a key file, for `--key-file`'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "list" -d 'Tell what an archive is decrypted with, how many events of which rooms each source opens, and what cannot be read; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "forget" -d 'Forget what an archive is decrypted with, and if it is said so, what was decrypted; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l media-store -d 'Copy the files that archived events name from this directory, Synapse\'s `media_store_path`, or that of a storage provider on disk; can be repeated. Needs `sql/reader_role_media.sql`. An archive remembers it for the runs to come, in place of what was said before' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l media-max-size -d 'Only files up to this size: 500K, 20M, 2G' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l media-types -d 'Only files of these media types, as who sent them says: image,video/mp4' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l avatars -d 'Members\' and rooms\' pictures too'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l no-media -d 'Copy none from now on; those that are there stay'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l list -d 'List what the archive lacks, or does not show, and why; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l json -d 'With --list: one JSON object for each, and one with the numbers'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -l no-markdown -d 'Render no transcripts: they wait for the next export, or for `synapse-export render`'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand media" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -f -a "show" -d 'Show, for each stream, the position up to which everything is archived'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -f -a "reset" -d 'Let the next export read everything again: it adds what the archive lacks, and changes of what it has only lines that were archived without their event'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and not __fish_seen_subcommand_from show reset help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -l json -d 'As JSON, for scripts'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -l stream -d 'Only this stream: live or backfill' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -l yes -d 'Do not ask'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from reset" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show, for each stream, the position up to which everything is archived'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from help" -f -a "reset" -d 'Let the next export read everything again: it adds what the archive lacks, and changes of what it has only lines that were archived without their event'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand watermark; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -f -a "show" -d 'Show what holds for `export` with these options, and from where: an argument, the environment, the configuration file, Synapse\'s configuration, what the archive remembers, or nothing but the default. Passwords are left out'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -f -a "init" -d 'Write a configuration file with all options as comments'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and not __fish_seen_subcommand_from show init help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l database -d 'The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l password-file -d 'A file whose first line is the database\'s password' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l synapse-config -d 'Take what is said nowhere else from Synapse\'s homeserver.yaml, or a directory of such files; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l retry-for -d 'How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l connections -d 'How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l catalog -d 'The directory of the archive\'s catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive on a network file system. Remembered for the runs to come' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l room -d 'Export only this room: an id (!…), a local alias (#…), or @FILE with one on each line, and comments after "# ". Remembered for the runs to come, in place of what was selected before; a room added later is caught up from its beginning' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l exclude-room -d 'Do not export this room; as --room' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l show-redacted -d 'Show in transcripts what redacted messages said, visibly marked. Remembered for the runs to come' -r -f -a "true\t''
false\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l hide-erased -d 'Hide in transcripts what users said whom the server has erased, as what is redacted; lines keep it. Remembered for the runs to come; not with --show-redacted' -r -f -a "true\t''
false\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l timezone -d 'Show in transcripts times of this zone, an IANA name like Europe/Berlin; days stay those of UTC. Remembered for the runs to come' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l max-lag -d 'End with status 75 when the database is a replica or a logical subscriber that is further behind than this, or cannot tell: 30s, 5m, 1h' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l decrypt -d 'Decrypt what can be, by the keys that the options below name, and keep what it says in the archive\'s `decrypted.sqlite`: transcripts, `search` and `show` tell it; lines stay as they are. Where the keys are is remembered for the runs to come, never a key; with `=false`, nothing is decrypted any more (what was stays, until `keys forget --plaintext`)' -r -f -a "true\t''
false\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l backup-user -d 'A user whose key backup is in the database; can be repeated. Needs `sql/reader_role_keys.sql`' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l recovery-key-file -d 'A file with a recovery key: a backup\'s own, or that of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l passphrase-file -d 'A file with the passphrase of the user\'s secret storage; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l secret-storage-file -d 'The user\'s account data of secret storage, a JSON object of contents by type, in place of what the database has' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l key-file -d 'A file of keys that a client has exported, or `keys import` has made; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l key-file-passphrase-file -d 'A file with the passphrase of a key file; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l bridge-database -d 'The database of a mautrix bridge: a postgres:// URL or key=value string; its password belongs in ~/.pgpass; can be repeated' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l bridge-config -d 'A bridge\'s own config.yaml, which says where its database is and how it pickles; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l bridge-store -d 'The SQLite database of a bridge, or of a client of matrix-nio; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l pickle-key-file -d 'A file with the pickle key of a bridge or of matrix-nio, beside those that are known; - asks for it; can be repeated' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l media-store -d 'Copy the files that archived events name from this directory, Synapse\'s `media_store_path`, or that of a storage provider on disk; can be repeated. Needs `sql/reader_role_media.sql`. An archive remembers it for the runs to come, in place of what was said before' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l media-max-size -d 'Only files up to this size: 500K, 20M, 2G' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l media-types -d 'Only files of these media types, as who sent them says: image,video/mp4' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l interval -d 'With --follow, how often it is asked whether something is new: 5s, 1m' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l render-every -d 'With --follow, how often at the most transcripts, the index of search and all else are brought up to date that is made of lines' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l metrics-file -d 'Write what it has come to into this file, in Prometheus\' text format, for the textfile collector of node_exporter: FILE.prom' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l on-failure -d 'Have sh run this when the export fails or something is off, and with --follow also when it begins to wait for something that fails; it finds SYNAPSE_EXPORT_STATUS, SYNAPSE_EXPORT_MESSAGE and SYNAPSE_EXPORT_ARCHIVE in its environment' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l hold-while -d 'Have sh run this at the end, while nothing else may write to the archive, as to copy it: rsync, or a snapshot of its file system. It finds SYNAPSE_EXPORT_ARCHIVE and SYNAPSE_EXPORT_CATALOG, the directories, in its environment; that it fails is a failure of the export' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l shared-archive -d 'Write to the archive even if another user owns it or may write to it, who could read and alter all of it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l group-readable -d 'Let the group of the archive\'s directory read all that is in it: directories get mode 2750, files 0640, also those that are there. Remembered for the runs to come'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l no-group-readable -d 'Let only its owner read it again'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l all-rooms -d 'Forget the rooms selected in earlier runs, and export all'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l no-markdown -d 'Render no transcripts: they wait for the next export without this, or for `synapse-export render`'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l no-search -d 'Leave the index of `search` as it is: it waits for the next export without this, or for `synapse-export search --update`'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l ignore-erased -d 'With what --hide-erased has remembered: render transcripts also where it may not be read whom the server has erased'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l during-initial-copy -d 'Go on also while a logical subscriber has yet to copy tables, which else ends with status 75: events may be without their JSON, which an export waits for, for a day only; and what has rejected or redacted them may not be known yet'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l avatars -d 'Members\' and rooms\' pictures too'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l no-media -d 'Copy no files from now on; those that are there stay'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l look-for-missing -d 'Look through all of `event_json` for rows that its index does not show, as after a change of the database\'s collation, which doctor tells of: slowly, and a run that is stopped is gone on with by the next one with this option'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l follow -d 'Do not end: go on reading what is new, until a signal ends it, and let other commands in that write to the archive'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -l all-archives -d 'Export to each archive of the configuration file, one after the other, whether one fails or not'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -l synapse-config -d 'Synapse\'s homeserver.yaml, which says where the database is; the file names it, and repeats nothing of it' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -l archive -d 'The archive\'s directory' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -l output -d 'Write it to this file, which must not be there yet and which only its owner can read, rather than to stdout' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -l log-format -d 'What is said on stderr: as text, or as a JSON object on each line' -r -f -a "text\t''
json\t''"
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -l log-level -d 'How much of it: error, warn, info, or debug, which tells each statement and commit' -r
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -l config -d 'The configuration file, in place of synapse-export.toml in the user\'s directory of configurations or in /etc' -r -F
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -s q -l quiet -d 'Say nothing but warnings and errors, whatever the log level'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from init" -s V -l version -d 'Print version'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show what holds for `export` with these options, and from where: an argument, the environment, the configuration file, Synapse\'s configuration, what the archive remembers, or nothing but the default. Passwords are left out'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "init" -d 'Write a configuration file with all options as comments'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "export" -d 'Bring an archive up to date: read what is new in the database, and what has appeared late'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "room" -d 'Dump one room: as the lines that an archive would have, in the room\'s own order; or as what is handed on, a page, a text, a zip, a database, from the archive where that has the room'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "user" -d 'Hand on all that one person sent, in whichever room of the archive or the server, without what others said: as a page, a text, JSON lines, a zip of these, or a database'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "rooms" -d 'List the rooms that the server knows: names, aliases, kinds, sizes, and when something last happened in them'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "search" -d 'Find what was said in an archive: words, "phrases", beginnings*, who, where, when; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "show" -d 'Show an event of an archive: as a transcript does, with what stands before and after; or its line, or all there is about it as JSON'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "render" -d 'Render transcripts that are not up to date, or all of them anew; from the archive alone, without the database'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "rebuild" -d 'Make an archive\'s catalog.sqlite anew from its files, without the database: where it is lost or damaged, or does not fit them, as in a copy'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "verify" -d 'Verify an archive: that every line is the one that was written, where the catalog says, and what each event proves by its own hashes and signatures'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "erase" -d 'Erase events from an archive for good: their lines are pruned as a redaction does, in the files, the catalog, the index of search and the transcripts, and no later export brings them back. Without --yes it says only what it would do'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "compact" -d 'Compress the lines of past days: a day\'s .jsonl becomes .jsonl.zst, which zstdcat and zstdgrep read, and every command as before. Nothing else changes, and --expand brings all of them back'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "output" -d 'Keep the archive up to date elsewhere, as Parquet files for other engines or in another PostgreSQL; from the archive alone, without Synapse\'s database'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "status" -d 'Show on one screen how an archive is: how far and how large, which rooms grow, what is pending, and what to do; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "stats" -d 'Count an archive\'s events, and the bytes of their lines, by room, sender, day or type: the most first, of days the newest; from the catalog alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "doctor" -d 'Check database and archive: what is wrong, what will go wrong, and what to do about it'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "keys" -d 'Look at the keys of encrypted rooms, and at what was decrypted'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "media" -d 'Copy the files that archived events name, pictures and all else, or list those that are lacking'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "watermark" -d 'Show or reset how far the export has come'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "config" -d 'Show what holds for an export, or write a configuration file to begin with'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and not __fish_seen_subcommand_from export room user rooms search show render rebuild verify erase compact output status stats doctor keys media watermark config help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from output" -f -a "add" -d 'Remember an output. It is made by `output run`, or at the end of each export with --on-export'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from output" -f -a "list" -d 'List the outputs, and how far they are'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from output" -f -a "run" -d 'Bring outputs up to date'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from output" -f -a "remove" -d 'Forget an output; its files, or its tables, stay'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "check" -d 'Open the sources of keys that are named, and tell what they have: how many sessions of which rooms; of rooms that are named, how many events they open, and why not the others'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "import" -d 'Copy the sessions of all sources that are named into one file, encrypted under a passphrase: the only command that stores keys. What it makes is a key file, for `--key-file`'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "list" -d 'Tell what an archive is decrypted with, how many events of which rooms each source opens, and what cannot be read; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "forget" -d 'Forget what an archive is decrypted with, and if it is said so, what was decrypted; from the archive alone'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from watermark" -f -a "show" -d 'Show, for each stream, the position up to which everything is archived'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from watermark" -f -a "reset" -d 'Let the next export read everything again: it adds what the archive lacks, and changes of what it has only lines that were archived without their event'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Show what holds for `export` with these options, and from where: an argument, the environment, the configuration file, Synapse\'s configuration, what the archive remembers, or nothing but the default. Passwords are left out'
complete -c synapse-export -n "__fish_synapse_export_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "init" -d 'Write a configuration file with all options as comments'
