/* The one entry: fonts, styles, remembered theme and language, then the page. */
import "@fontsource/be-vietnam-pro/400.css";
import "@fontsource/be-vietnam-pro/600.css";
import "./style.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { restoreChoices } from "./choices.svelte";

restoreChoices();
const target = document.getElementById("console");
if (target) mount(App, { target });
