/** The build puts style sheets into scripts as texts. */
declare module "*.css" {
  const text: string;
  export default text;
}
