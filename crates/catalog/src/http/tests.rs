mod paths;
mod routes;
mod rules;
mod templates;
