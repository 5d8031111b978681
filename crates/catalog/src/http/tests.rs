mod routes;
mod rules;
mod templates;
