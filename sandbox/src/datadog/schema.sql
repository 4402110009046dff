-- Metrics, once submitted; `type` is that of the first submission that had one.
create table if not exists metrics (
    name text primary key,
    type text,
    interval integer,
    unit text,
    per_unit text,
    description text,
    short_name text,
    statsd_interval integer,
    distribution integer not null default 0,
    historical_since text,
    created_at text not null
) without rowid;

-- One row for each name and set of tags; the tags are sorted and joined by commas, which no tag can hold.
create table if not exists series (
    id integer primary key,
    metric text not null references metrics (name),
    tags text not null,
    unique (metric, tags)
);

-- The last value of a series within a second, in Unix time.
create table if not exists points (
    series integer not null references series (id),
    ts integer not null,
    value real not null,
    primary key (series, ts)
) without rowid;

-- Every observation of a distribution.
create table if not exists distribution_values (
    series integer not null references series (id),
    ts integer not null,
    value real not null
);
create index if not exists distribution_values_by_series on distribution_values (series, ts);

create table if not exists events (
    id integer primary key,
    happened integer not null,
    title text not null,
    text text not null,
    tags text not null,
    alert_type text not null,
    priority text not null,
    aggregation_key text,
    source text,
    host text
);

-- What was accepted and is not stored.
create table if not exists dropped (
    at text not null,
    metric text not null,
    tags text not null,
    ts integer,
    value real,
    reason text not null
);

-- Every submission, refused ones included.
create table if not exists requests (
    at text not null,
    path text not null,
    encoding text not null,
    bytes integer not null,
    unpacked integer not null,
    series integer not null,
    status integer not null
);
